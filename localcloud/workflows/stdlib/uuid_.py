"""``uuid``: random identifiers."""

import uuid

from localcloud.workflows.running.machine_view import Run
from localcloud.workflows.stdlib.registry import context_function


@context_function("uuid.generate")
def generate(run: Run) -> str:
    """Generate a random UUID; a resumed execution sees the same one again."""
    return str(run.observe(lambda: str(uuid.uuid4())))
