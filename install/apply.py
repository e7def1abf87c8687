"""Applying an installation: row by row, look, compare, make, and say what was done."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from install.report import Report
from install.rows import Row
from install.session import Session

Chain = Sequence[Row]
"""Rows that follow one another."""


@dataclass(frozen=True)
class Group:
    """Chains of rows that need nothing of each other, so they run at the same time."""

    title: str
    chains: Sequence[Chain]


def apply(
    session: Session, groups: Sequence[Group], report: Report, *, at_once: bool = True
) -> None:
    """Bring every row about, in order; with `report.plan` only look.

    Args:
        session: Whose rights count.
        groups: What shall be there.
        report: What is told about it.
        at_once: Whether chains that need nothing of each other run at the same time.

    Raises:
        InstallError: A row could not be brought about. What was made stays, and running it
            again goes on from there.
    """
    with report.ticking():
        for group in groups:
            report.heading(group.title)
            if len(group.chains) == 1 or not at_once:
                for rows in group.chains:
                    _chain(session, rows, report)
            else:
                _side_by_side(session, group.chains, report)


def _side_by_side(session: Session, chains: Sequence[Chain], report: Report) -> None:
    failures: list[BaseException] = []

    def run(rows: Chain) -> None:
        try:
            _chain(session, rows, report)
        except BaseException as error:  # noqa: BLE001 - raised again, where somebody hears of it
            failures.append(error)

    # Daemons: whoever interrupts the installation is not kept waiting for what Google is making.
    # It is made all the same, and the next run finds it.
    threads = [threading.Thread(target=run, args=(rows,), daemon=True) for rows in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # All have ended: nothing is left half way because another one failed.
    if failures:
        raise failures[0]


def _chain(session: Session, rows: Chain, report: Report) -> None:
    for row in rows:
        with report.work(row) as work:
            state = row.look(session)
            if state != "same" and not report.plan:
                work.makes(state)
                row.make(session, state)
                session.fresh = True
            work.ended(state)
