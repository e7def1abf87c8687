"""Waiting for what happens in its own time: on a condition, never for a guess."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Seen = TypeVar("Seen")

PATIENCE_SECONDS = 60.0
"""How long a test waits for what takes moments on a machine that has nothing else to do."""


def eventually(look: Callable[[], Seen], *, within: float = PATIENCE_SECONDS) -> Seen:
    """Look again and again until what is seen counts as true, and give it."""
    until = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < until, f"still {seen!r} after {within:g} s"
        time.sleep(0.02)
    return seen


def gone(pid: int) -> bool:
    """Tell whether a process has ended: it is no more, or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True
