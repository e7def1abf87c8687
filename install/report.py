"""What an installation says while it happens: what it changes line by line, the rest as a number."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from install.rows import Row, State

WORDS: dict[State, str] = {"absent": "created", "different": "updated", "same": "unchanged"}
PLANNED: dict[State, str] = {
    "absent": "would create",
    "different": "would update",
    "same": "unchanged",
}
PLANNED_NOUNS: dict[State, str] = {**PLANNED, "absent": "to create", "different": "to update"}
DOING: dict[State, str] = {"absent": "creating", "different": "updating", "same": "looking"}

SILENCE_SECONDS = 2.0
"""How long nothing may be heard of a row, or of the whole."""

TICK_SECONDS = 0.5


class Report:
    """What was done, printed as it happens."""

    def __init__(
        self,
        *,
        plan: bool = False,
        verbose: bool = False,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing done.

        Args:
            plan: Whether things are only looked at.
            verbose: Whether what is as wanted gets a line of its own, too.
            out: Where it is printed, if not where everything is.
            clock: How long it has been, in seconds.
        """
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self._verbose = verbose
        self._out = out or sys.stdout
        self._clock = clock
        self._lock = threading.Lock()
        self._heading: str | None = None
        self._in_work: list[Work] = []
        self._began = self._heard = clock()

    def heading(self, title: str) -> None:
        """Begin a group; it is only said if there is anything to say of it."""
        with self._lock:
            self._heading = title

    @contextmanager
    def work(self, row: Row) -> Iterator["Work"]:
        """Report on a row from the first look at it until it is done or has failed."""
        work = Work(self, row.title, self._clock())
        with self._lock:
            self._in_work.append(work)
        try:
            yield work
        except BaseException as error:
            word = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            with self._lock:
                self._line(word, work.title, work.started)
            raise
        finally:
            with self._lock:
                self._leave(work)

    def ended(self, work: "Work", state: State) -> None:
        """Say what became of a row, unless it was as wanted and nobody has heard of it."""
        word = (PLANNED if self.plan else WORDS)[state]
        with self._lock:
            self._leave(work)
            self.counts[word] += 1
            if state != "same" or self._verbose or work.announced:
                self._line(word, work.title, work.started)

    def tick(self) -> None:
        """Name each row that is taking long, and where it all stands when nothing has been heard."""
        with self._lock:
            now = self._clock()
            for work in self._in_work:
                if now - work.started > SILENCE_SECONDS and not work.announced:
                    work.announced = True
                    self._print(f"  {'…':<13}{work.title}: {DOING[work.state]}")
            if now - self._heard > SILENCE_SECONDS and self._in_work:
                newest = self._in_work[-1]
                if not newest.announced:
                    done = self.counts[WORDS["same"]]
                    self._print(f"  {'…':<13}{done} unchanged so far, at {newest.title}")

    @contextmanager
    def ticking(self) -> Iterator[None]:
        """Tick twice a second, for as long as there is something to do."""
        over = threading.Event()

        def run() -> None:
            while not over.wait(TICK_SECONDS):
                self.tick()

        ticker = threading.Thread(target=run, daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()

    def summary(self) -> str:
        """Return what was done in one line."""
        words, nouns = (PLANNED, PLANNED_NOUNS) if self.plan else (WORDS, WORDS)
        states: tuple[State, ...] = ("absent", "different", "same")
        said = [
            f"{self.counts[words[one]]} {nouns[one]}" for one in states if self.counts[words[one]]
        ]
        every = "all " if len(said) == 1 else ""
        return f"{every}{', '.join(said)} in {self._clock() - self._began:.1f} s"

    def _leave(self, work: "Work") -> None:
        if work in self._in_work:
            self._in_work.remove(work)

    def _line(self, word: str, title: str, started: float) -> None:
        self._print(f"  {word:<13}{title:<64}{self._clock() - started:6.1f} s")

    def _print(self, line: str) -> None:
        if self._heading is not None:
            print(f"\n{self._heading}", file=self._out)
            self._heading = None
        print(line, file=self._out, flush=True)
        self._heard = self._clock()


class Work:
    """One row in work."""

    def __init__(self, report: Report, title: str, started: float) -> None:
        """Begin by looking."""
        self._report = report
        self.title = title
        self.started = started
        self.state: State = "same"
        self.announced = False
        """Whether it was said that it takes long; then its end is said, too."""

    def makes(self, state: State) -> None:
        """Go on from looking to making."""
        self.state = state

    def ended(self, state: State) -> None:
        """Be done."""
        self._report.ended(self, state)
