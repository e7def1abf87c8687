"""A token that is renewed before it expires."""

from __future__ import annotations

import base64
import json
import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from berth.errors import BerthError

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

MARGIN = 360
"""How long before its end a token is renewed, in seconds.

MLflow repeats a request for about four minutes with the token it began with
(MLFLOW_HTTP_REQUEST_MAX_RETRIES, _BACKOFF_FACTOR), so this must be more.
"""

PAUSE = 30
"""How long to leave it after a renewal that failed, or that brought the same token again."""


@dataclass(frozen=True)
class _Held:
    text: str
    renewal: float
    end: float


class RenewedToken:
    """Gives a token that is good for a while; threads may share it."""

    def __init__(self, make: Callable[[], str], *, clock: Callable[[], float]) -> None:
        """Make nothing yet.

        Args:
            make: gives a new JWT, or raises BerthError.
            clock: gives the Unix time, by which tokens end.
        """
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def text(self) -> str:
        """Return the token, a new one if the end of the old one is near.

        One thread renews. The others go on with the old token as long as it is good, and wait
        when it is not. BerthError if no token is good and none can be made.
        """
        held, now = self._held, self._clock()
        if held is not None and now < held.renewal:
            return held.text
        good = held is not None and now < held.end
        if not self._lock.acquire(blocking=not good):
            assert held is not None  # one that is not there is not good
            return held.text
        try:
            return self._renewed()
        finally:
            self._lock.release()

    def _renewed(self) -> str:
        held = self._held
        if held is not None and self._clock() < held.renewal:
            return held.text  # somebody was faster
        try:
            new = _read(self._make(), self._clock())
        except BerthError as error:
            now = self._clock()
            if held is None or now >= held.end:
                raise
            left = held.end - now
            log.warning("no new token; the old one is good for %.0f s more: %s", left, error)
            self._held = replace(held, renewal=min(now + PAUSE, held.end))
            return held.text
        self._held = new
        return new.text


def _read(token: str, now: float) -> _Held:
    """Say when a token ends and when to renew it: in good time, but not again at once."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        end = float(claims["exp"])
        lifetime = end - float(claims["iat"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise BerthError("What was given as a token is no JWT with iat and exp.") from error
    if end <= now:
        raise BerthError(
            f"A new token has ended {now - end:.0f} seconds ago already. Is this machine's clock right?"
        )
    in_good_time = end - min(MARGIN, lifetime / 2)
    return _Held(token, min(max(in_good_time, now + min(PAUSE, lifetime / 10)), end), end)
