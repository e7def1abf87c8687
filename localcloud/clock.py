"""Time, real or virtual: the only source of ``now`` and of delays in the local cloud."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)


def rfc3339(when: float) -> str:
    """Write a Unix time the way Google's APIs do, with microseconds and a ``Z``."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(duration: str | None, default: float = 0.0) -> float:
    """Read a duration as Google's APIs write it, such as ``600s`` or ``0.5s``."""
    return float(duration.removesuffix("s")) if duration else default


def _nothing() -> None:
    """What a cancelled timer does."""


class Timer:
    """Something due at a moment; ``cancel`` before that moment and it never happens."""

    def __init__(self, when: float, fn: Callable[[], object]) -> None:
        """Remember what to do and when."""
        self.when = when
        self.fn = fn
        self.cancelled = False

    def cancel(self) -> None:
        """Forget it; harmless when it has already happened."""
        self.cancelled = True
        # The queue may hold the timer for long; what it was for need not wait with it.
        self.fn = _nothing


class Clock(ABC):
    """What the local cloud knows about time."""

    @abstractmethod
    def now(self) -> float:
        """Give the Unix time."""

    @abstractmethod
    def call_at(self, when: float, fn: Callable[[], object]) -> Timer:
        """Have ``fn`` called once at ``when``, or as soon as possible if that has passed."""

    def call_later(self, seconds: float, fn: Callable[[], object]) -> Timer:
        """Have ``fn`` called once after so many seconds."""
        return self.call_at(self.now() + seconds, fn)

    @abstractmethod
    def pause(self, seconds: float) -> None:
        """Return when so much time has passed."""

    def rfc3339(self) -> str:
        """Give the present moment as Google writes it."""
        return rfc3339(self.now())

    def close(self) -> None:  # noqa: B027 - only the real clock holds something to let go
        """Stop every timer."""


class VirtualClock(Clock):
    """Time that stands still until told; timers then run inline, in order, on the caller's thread."""

    def __init__(self, start: float = 1_795_161_600.0) -> None:
        """Begin at ``start``, by default 2026-11-20T08:00:00Z."""
        self._now = start
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._lock = threading.RLock()

    def now(self) -> float:
        """Give the virtual time."""
        return self._now

    def call_at(self, when: float, fn: Callable[[], object]) -> Timer:
        """Queue ``fn``; equal moments keep the order they were asked in."""
        timer = Timer(max(when, self._now), fn)
        with self._lock:
            heapq.heappush(self._heap, (timer.when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let so much time pass, running everything that falls due on the way."""
        target = self._now + seconds
        while self._step(target):
            pass
        self._now = max(self._now, target)

    def pause(self, seconds: float) -> None:
        """Let the time pass at once: nobody else could."""
        self.advance(seconds)

    def run_until_idle(self, *, most: int = 1_000_000) -> None:
        """Run timers, and those they set, until none is left."""
        for _ in range(most):
            if not self._step(None):
                return
        raise RuntimeError(f"still not idle after {most} timers")

    def pending(self) -> int:
        """Count the timers that are still to come."""
        return sum(not timer.cancelled for _, _, timer in self._heap)

    def _step(self, target: float | None) -> bool:
        with self._lock:
            while self._heap and self._heap[0][2].cancelled:
                heapq.heappop(self._heap)
            if not self._heap or (target is not None and self._heap[0][0] > target):
                return False
            when, _, timer = heapq.heappop(self._heap)
            self._now = max(self._now, when)
        timer.fn()
        return True


class RealClock(Clock):
    """The machine's time; one thread waits, a pool of workers does what falls due."""

    def __init__(self, *, workers: int = 32) -> None:
        """Prepare; the waiting thread starts with the first timer."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="clock")
        self._closed = False

    def now(self) -> float:
        """Give the machine's time."""
        return time.time()

    def call_at(self, when: float, fn: Callable[[], object]) -> Timer:
        """Queue ``fn`` for a worker thread."""
        timer = Timer(when, fn)
        with self._wake:
            if self._closed:
                timer.cancel()
                return timer
            heapq.heappush(self._heap, (when, next(self._order), timer))
            if self._thread is None:
                self._thread = threading.Thread(target=self._wait, name="clock", daemon=True)
                self._thread.start()
            self._wake.notify()
        return timer

    def pause(self, seconds: float) -> None:
        """Hold the calling thread for so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Drop every timer that has not fallen due and stop the waiting thread."""
        with self._wake:
            self._closed = True
            self._heap.clear()
            self._wake.notify()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _wait(self) -> None:
        while True:
            with self._wake:
                if self._closed:
                    return
                if not self._heap:
                    self._wake.wait()
                    continue
                delay = self._heap[0][0] - time.time()
                if delay > 0:
                    self._wake.wait(delay)
                    continue
                _, _, timer = heapq.heappop(self._heap)
            if not timer.cancelled:
                self._pool.submit(_run, timer)


def _run(timer: Timer) -> None:
    if timer.cancelled:
        return
    try:
        timer.fn()
    except Exception:  # a worker has nobody to raise to; the log is where a person looks
        log.exception("a timer failed")
