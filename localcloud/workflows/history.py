"""The step entries of an execution: what ran, when, inside what, and how it ended."""

from dataclasses import dataclass
from typing import Any, Final

IN_PROGRESS: Final = "STATE_IN_PROGRESS"
SUCCEEDED: Final = "STATE_SUCCEEDED"
FAILED: Final = "STATE_FAILED"
CANCELLED: Final = "STATE_CANCELLED"


@dataclass(slots=True)
class Entry:
    """One step entry. ``parent`` and ``previous`` are entry numbers; 0 is none."""

    number: int
    step: str
    routine: str
    kind: str
    created: float
    parent: int
    previous: int
    thread: int
    updated: float = 0.0
    state: str = IN_PROGRESS
    error: Any = None
    progress: int = 0
    expected: int = 0
    variables: str | None = None


class History:
    """All entries of one execution, in the order they began."""

    def __init__(self) -> None:
        """Start empty."""
        self.entries: list[Entry] = []

    def open(
        self,
        step: str,
        routine: str,
        kind: str,
        now: float,
        parent: int,
        previous: int,
        thread: int,
    ) -> Entry:
        """Begin an entry."""
        entries = self.entries
        entry = Entry(len(entries) + 1, step, routine, kind, now, parent, previous, thread)
        entries.append(entry)
        return entry

    def current(self) -> list[Entry]:
        """Give the innermost entries still in progress, one for each thread."""
        last: dict[int, Entry] = {}
        for entry in self.entries:
            if entry.state == IN_PROGRESS:
                last[entry.thread] = entry
        return list(last.values())
