"""Rate limits by method id, none unless a test or a simulation sets some."""

from __future__ import annotations

import math
import threading
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, error_info

if TYPE_CHECKING:
    from localcloud.clock import Clock


_MINUTE = 60.0
_HOSTS = {"sql": "sqladmin"}
"""APIs whose methods are not called like their host."""


class Limits:
    """How many calls of a method are answered in how many seconds; the rest get 429."""

    def __init__(self, clock: Clock, *, consumer: str) -> None:
        """Count on the cloud's clock, for the project with the number ``consumer``."""
        self._clock = clock
        self._consumer = consumer
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
        raise self._exceeded(method, most, seconds, wait)

    def _exceeded(self, method: str, most: int, seconds: float, wait: float) -> ApiError:
        """Word the refusal as cloud.google.com/docs/quotas/troubleshoot has it."""
        api = method.partition(".")[0]
        host = f"{_HOSTS.get(api, api)}.googleapis.com"
        metric = f"{host}/{method.rpartition('.')[2]}_requests"
        span = "per minute" if seconds == _MINUTE else f"per {seconds:g} seconds"
        limit = f"{method.rpartition('.')[2]} requests {span}"
        message = (
            f"Quota exceeded for quota metric '{metric}' and limit '{limit}' of service '{host}' "
            f"for consumer 'project_number:{self._consumer}'."
        )
        info = error_info(
            "RATE_LIMIT_EXCEEDED",
            service=host,
            consumer=f"projects/{self._consumer}",
            quota_metric=metric,
            quota_limit=limit,
            quota_limit_value=str(most),
        )
        failure = {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            "violations": [{"subject": f"project_number:{self._consumer}", "description": message}],
        }
        retry = {
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": f"{wait:.3f}s",
        }
        return ApiError(
            429,
            message,
            details=[info, failure, retry],
            headers={"retry-after": str(max(1, math.ceil(wait)))},
        )
