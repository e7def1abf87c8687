"""Say on standard error what a command waits for, once it takes longer than people like."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FIRST_SECONDS = 2.0
_NEXT_SECONDS = 5.0


@contextmanager
def told(
    what: str | Callable[[], str], *, first: float = _FIRST_SECONDS, then: float = _NEXT_SECONDS
) -> Iterator[None]:
    """Say ``what`` goes on after ``first`` seconds, and again every ``then``, until it is done."""
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(what, over, first, then), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def _tell(what: str | Callable[[], str], over: threading.Event, first: float, then: float) -> None:
    began = time.monotonic()
    pause = first
    while not over.wait(pause):
        seconds = round(time.monotonic() - began)
        now = what if isinstance(what, str) else what()
        print(f"localcloud: {now} ({seconds} s)", file=sys.stderr, flush=True)  # noqa: T201 - see above
        pause = then
