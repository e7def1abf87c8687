"""Applying an installation: row by row, look, compare, make, and say what was done."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TextIO

from install.rows import Row, State
from install.session import Session

Chain = Sequence[Row]
"""Rows that follow one another."""

WORDS: dict[State, str] = {"absent": "created", "different": "updated", "same": "unchanged"}
PLANNED: dict[State, str] = {
    "absent": "would create",
    "different": "would update",
    "same": "unchanged",
}


@dataclass(frozen=True)
class Group:
    """Chains of rows that need nothing of each other, so they run at the same time."""

    title: str
    chains: Sequence[Chain]


@dataclass
class Report:
    """What was done, printed as it happens."""

    plan: bool
    at_once: bool = True
    out: TextIO = field(default_factory=lambda: sys.stdout)
    counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def heading(self, title: str) -> None:
        """Begin a group."""
        self._print(f"\n{title}")

    def begins(self, row: Row, state: State) -> None:
        """Say that something which may take long has begun."""
        self._print(f"  {'…':<13}{row.title}: {'creating' if state == 'absent' else 'updating'}")

    def ended(self, row: Row, state: State, seconds: float) -> None:
        """Say what became of a row."""
        word = (PLANNED if self.plan else WORDS)[state]
        with self._lock:
            self.counts[word] += 1
        self._print(f"  {word:<13}{row.title:<64}{seconds:6.1f} s")

    def _print(self, line: str) -> None:
        with self._lock:
            print(line, file=self.out, flush=True)


def apply(session: Session, groups: Sequence[Group], report: Report) -> None:
    """Bring every row about, in order; with `report.plan` only look.

    Raises:
        InstallError: A row could not be brought about. What was made stays, and running it
            again goes on from there.
    """
    for group in groups:
        report.heading(group.title)
        if len(group.chains) == 1 or not report.at_once:
            for rows in group.chains:
                _chain(session, rows, report, slow=False)
            continue
        with ThreadPoolExecutor(max_workers=len(group.chains)) as pool:
            running = [
                pool.submit(_chain, session, chain, report, slow=True) for chain in group.chains
            ]
        # All have ended: nothing is left half way because another one failed.
        for chain in running:
            chain.result()


def _chain(session: Session, rows: Chain, report: Report, *, slow: bool) -> None:
    for row in rows:
        started = time.monotonic()
        state = row.look(session)
        if state != "same" and not report.plan:
            if slow:
                report.begins(row, state)
            row.make(session, state)
            session.fresh = True
        report.ended(row, state, time.monotonic() - started)
