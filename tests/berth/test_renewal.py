"""A token is renewed in good time, by one thread, and the old one bridges what goes wrong."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from berth.errors import BerthError
from berth.renewal import MARGIN, PAUSE, RenewedToken
from localcloud.clock import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

RETRIES_OF_MLFLOW = 4 * 60


def jwt(begin: float, end: float, number: int = 0) -> str:
    """Write a token; nobody here looks at its signature."""
    claims = json.dumps({"iat": begin, "exp": end, "n": number}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


class Mint:
    """Gives tokens of an hour, or what it is told to do instead."""

    def __init__(self, clock: VirtualClock, lifetime: float = 3600) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.asked = 0
        self.instead: Callable[[], str] | None = None

    def __call__(self) -> str:
        """Give a token."""
        self.asked += 1
        if self.instead is not None:
            return self.instead()
        now = self.clock.now()
        return jwt(now, now + self.lifetime, self.asked)


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def mint(clock: VirtualClock) -> Mint:
    """Where tokens come from."""
    return Mint(clock)


@pytest.fixture
def token(mint: Mint, clock: VirtualClock) -> RenewedToken:
    """The token."""
    return RenewedToken(mint, clock=clock.now)


def down() -> str:
    """Fail, as when Google cannot be reached."""
    raise BerthError("down")


def test_nothing_is_made_before_it_is_needed(token: RenewedToken, mint: Mint) -> None:
    """A token that nobody asks for is none."""
    assert mint.asked == 0
    assert token.text() == token.text()
    assert mint.asked == 1


def test_it_is_renewed_before_a_request_could_outlive_it(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """MLflow repeats a request for four minutes with the token it began with."""
    token.text()
    clock.advance(3600 - MARGIN - 1)
    token.text()
    assert mint.asked == 1

    clock.advance(1)
    token.text()

    assert mint.asked == 2
    assert MARGIN > RETRIES_OF_MLFLOW


def test_short_lives_are_halved(clock: VirtualClock) -> None:
    """The margin of a token that lives for seconds is not longer than its life."""
    mint = Mint(clock, lifetime=4)
    token = RenewedToken(mint, clock=clock.now)

    for _ in range(20):
        token.text()
        clock.advance(1)

    assert mint.asked == 10


def test_a_failing_renewal_is_tried_again_after_a_pause(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """The old token is given meanwhile, and not every request waits for a failure."""
    old = token.text()
    clock.advance(3600 - MARGIN)
    mint.instead = down

    given = [token.text() for _ in range(5)]

    assert given == [old] * 5
    assert mint.asked == 2
    clock.advance(PAUSE)
    assert token.text() == old
    assert mint.asked == 3
    mint.instead = None
    clock.advance(PAUSE)
    assert token.text() != old


def test_a_token_that_has_ended_is_not_given(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """When the old one is no good and there is no new one, the reason is raised, each time."""
    token.text()
    mint.instead = down
    clock.advance(3600)

    for _ in range(2):
        with pytest.raises(BerthError, match="down"):
            token.text()

    mint.instead = None
    assert token.text()


def test_the_first_failure_is_raised_and_not_kept(token: RenewedToken, mint: Mint) -> None:
    """There is nothing to go on with; the next request tries again."""
    mint.instead = down
    with pytest.raises(BerthError, match="down"):
        token.text()

    mint.instead = None

    assert token.text()


def test_the_same_token_again_is_no_reason_to_hurry(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """The metadata server gives its token until shortly before the end."""
    old = token.text()
    mint.instead = lambda: old
    clock.advance(3600 - MARGIN)

    for _ in range(MARGIN):
        assert token.text() == old
        clock.advance(1)

    assert mint.asked == 1 + MARGIN // PAUSE
    with pytest.raises(BerthError, match="has ended 0 seconds ago"):
        token.text()


def test_a_clock_that_is_wrong_is_suspected(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """A new token that is old already says something about this machine."""
    mint.instead = lambda: jwt(clock.now() - 7200, clock.now() - 3600)

    with pytest.raises(
        BerthError, match=r"ended 3600 seconds ago already. Is this machine's clock"
    ):
        token.text()


@pytest.mark.parametrize(
    "text", ["", "opaque", "a.b.c", "a.e30.c", "ya29.W10.x", jwt(0, 1).replace("e30.", "e30", 1)]
)
def test_what_is_no_token_is_refused(token: RenewedToken, mint: Mint, text: str) -> None:
    """A proxy's page, an access token: never sent, and never shown in the error."""
    mint.instead = lambda: text

    with pytest.raises(BerthError, match="no JWT with iat and exp"):
        token.text()


def test_the_others_go_on_while_one_renews(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """A slow renewal holds up one thread as long as the old token is good."""
    old = token.text()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(10)
        return jwt(clock.now(), clock.now() + 3600, 2)

    mint.instead = slow
    clock.advance(3600 - MARGIN)
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(token.text)
        assert begun.wait(10)

        others = [token.text() for _ in range(10)]

        go_on.set()
        assert renewing.result(10) != old
    assert others == [old] * 10
    assert mint.asked == 2


def test_the_others_wait_while_there_is_none(
    token: RenewedToken, mint: Mint, clock: VirtualClock
) -> None:
    """Of many that come at once when the old token has ended, one makes the new one."""
    together = threading.Barrier(8)

    def slow() -> str:
        together.wait(10)
        return jwt(clock.now(), clock.now() + 3600, 1)

    mint.instead = slow
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(token.text)
        arrivals = [pool.submit(lambda: (together.wait(10), token.text())[1]) for _ in range(7)]

    assert {one.result() for one in (first, *arrivals)} == {first.result()}
    assert mint.asked == 1
