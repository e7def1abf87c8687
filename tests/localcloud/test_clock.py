"""What the clocks promise about order and time."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from localcloud.clock import RealClock, VirtualClock, rfc3339


def test_time_stands_still(clock: VirtualClock) -> None:
    """A virtual clock moves only when told."""
    assert clock.now() == clock.now()
    assert clock.rfc3339() == "2026-11-20T08:00:00.000000Z"


def test_timers_run_in_order_at_their_time(clock: VirtualClock) -> None:
    """Each timer sees the moment it was set for; equal moments keep their order."""
    seen: list[tuple[str, float]] = []
    start = clock.now()

    def note(name: str) -> None:
        seen.append((name, clock.now() - start))

    for name, delay in (("late", 9), ("first", 1), ("second", 1)):
        clock.call_later(delay, partial(note, name))

    clock.advance(5)
    assert seen == [("first", 1), ("second", 1)]
    assert clock.now() == start + 5

    clock.run_until_idle()
    assert seen[-1] == ("late", 9)


def test_timers_may_set_timers(clock: VirtualClock) -> None:
    """A chain within the stretch runs to its end."""
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now())
        if len(seen) < 3:
            clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(10)

    assert len(seen) == 3


def test_cancelled_timer_never_runs(clock: VirtualClock) -> None:
    """Cancel works until the moment has come, and is harmless after."""
    timer = clock.call_later(1, lambda: pytest.fail("it ran"))
    timer.cancel()
    clock.run_until_idle()
    timer.cancel()

    assert clock.pending() == 0


def test_the_past_is_now(clock: VirtualClock) -> None:
    """A timer for a past moment runs at once and does not turn time back."""
    start = clock.now()
    clock.call_at(start - 100, lambda: None)
    clock.advance(0)

    assert clock.now() == start


def test_endless_timers_are_noticed(clock: VirtualClock) -> None:
    """A loop that never becomes idle is an error, not a hang."""

    def again() -> None:
        clock.call_later(1, again)

    again()
    with pytest.raises(RuntimeError, match="still not idle"):
        clock.run_until_idle(most=100)


def test_real_clock_calls_from_another_thread() -> None:
    """Due work runs on a worker, soon."""
    clock = RealClock(workers=2)
    ran = threading.Event()
    clock.call_later(0.01, ran.set)

    assert ran.wait(30)
    clock.close()


def test_real_clock_survives_a_failing_timer() -> None:
    """One failure is logged; the next timer still runs."""
    clock = RealClock(workers=1)
    ran = threading.Event()
    clock.call_later(0, lambda: 1 / 0)
    clock.call_later(0.01, ran.set)

    assert ran.wait(30)
    clock.close()


def test_closed_real_clock_runs_nothing() -> None:
    """After close, timers set before or after are dropped."""
    clock = RealClock(workers=1)
    ran = threading.Event()
    clock.call_later(0.2, ran.set)
    clock.close()
    clock.call_later(0, ran.set)

    assert not ran.wait(0.3)
    assert abs(clock.now() - time.time()) < 1


def test_rfc3339_has_microseconds() -> None:
    """Times are written as Google writes them."""
    assert rfc3339(0.5) == "1970-01-01T00:00:00.500000Z"
