"""Rate limits by method id, none unless a test or a simulation sets some."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, error_info

if TYPE_CHECKING:
    from localcloud.clock import Clock


class Limits:
    """How many calls of a method are answered in how many seconds; the rest get 429."""

    def __init__(self, clock: Clock) -> None:
        """Count on the cloud's clock."""
        self._clock = clock
        self._limits: dict[str, tuple[int, float]] = {}
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.Lock()

    def set(self, method: str, most: int, *, seconds: float = 60.0) -> None:
        """Allow at most so many calls of a method within so many seconds."""
        with self._lock:
            self._limits[method] = (most, seconds)

    def clear(self) -> None:
        """Allow everything again."""
        with self._lock:
            self._limits.clear()
            self._taken.clear()

    def take(self, method: str) -> None:
        """Count one call; raises Google's 429 when there were too many."""
        limit = self._limits.get(method)
        if limit is None:
            return
        most, seconds = limit
        now = self._clock.now()
        with self._lock:
            taken = self._taken[method]
            while taken and taken[0] <= now - seconds:
                taken.popleft()
            if len(taken) < most:
                taken.append(now)
                return
            wait = taken[0] + seconds - now
        retry = {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": f"{wait:.3f}s",
        }
        raise ApiError(
            429,
            f"Quota exceeded for quota metric '{method}' and limit '{most} per {seconds:g} "
            "seconds'.",
            reason="RATE_LIMIT_EXCEEDED",
            details=[error_info("RATE_LIMIT_EXCEEDED", quota_metric=method), retry],
            headers={"retry-after": str(max(1, round(wait)))},
        )
