"""A stand-in for containers: nothing runs, every instance is ready and every task succeeds.

For simulations on a virtual clock. What such a service answers is a WSGI application that
the simulation mounts with ``cloud.ingress.mount``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.machines.containers.workload import Ended

if TYPE_CHECKING:
    from localcloud.machines.containers.workload import Workload


@dataclass
class PaperInstance:
    """An instance that exists in the books only."""

    id: str
    alive: bool = True

    @property
    def port(self) -> int | None:
        """Nowhere."""
        return None

    def stop(self, grace: float = 10.0) -> None:  # noqa: ARG002 - nothing needs time to end
        """Strike it from the books."""
        self.alive = False


class PaperContainers:
    """Says yes to every workload."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def start(self, workload: Workload) -> PaperInstance:
        """Return an instance at once; the operation's latency has passed already."""
        return PaperInstance(f"{workload.id}-paper{next(self._numbers)}")

    def run(self, workload: Workload, *, timeout: float) -> Ended:  # noqa: ARG002 - see class
        """Succeed."""
        return Ended(0)

    def cancel(self, prefix: str) -> None:
        """Nothing runs, so nothing ends."""

    def close(self) -> None:
        """Nothing runs, so nothing ends."""
