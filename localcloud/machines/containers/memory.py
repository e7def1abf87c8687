"""How much memory containers use, and the end of those that use more than their limit."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.machines.process import Process

_LOOK_SECONDS = 1.0
_MIB = 2**20
_SHARE = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)

EXCEEDED = (
    "Memory limit of {limit} MiB exceeded with {used} MiB used. Consider increasing the memory "
    "limit, see https://cloud.google.com/run/docs/configuring/memory-limits"
)
"""What Cloud Run writes when it ends an instance for its memory."""


def used(pid: int) -> int:
    """Return the bytes a process and all it started hold, shared pages by their share."""
    return sum(_share(one) for one in _tree(pid))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # it ended while we looked
        for child in children:
            yield from _tree(int(child))


def _share(pid: int) -> int:
    try:
        found = _SHARE.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


class MemoryWatch:
    """Looks at what runs every second; one thread, and none while nothing runs."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._lock = threading.Lock()
        self._watched: list[tuple[Process, int, Callable[[str], None]]] = []
        self._looking = False

    def add(self, process: Process, limit: int, exceeded: Callable[[str], None]) -> None:
        """Watch a process until it ends; *exceeded* is told, once, in Cloud Run's words."""
        with self._lock:
            self._watched.append((process, limit, exceeded))
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="memory", daemon=True).start()

    def _look(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(_LOOK_SECONDS)
            with self._lock:
                self._watched = [one for one in self._watched if one[0].alive]
                if not self._watched:
                    self._looking = False
                    return
                watched = list(self._watched)
            for process, limit, exceeded in watched:
                size = used(process.pid) if process.pid is not None else 0
                if size > limit:
                    exceeded(EXCEEDED.format(limit=limit // _MIB, used=size // _MIB))
                    with self._lock:
                        self._watched = [one for one in self._watched if one[0] is not process]
