"""Planned failures, by method id, used up in the order they were planned."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TypeVar

from localcloud.errors import HTTP_STATUS, ApiError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Fault:
    """What happens to one call: refused before, failed after, or its reply lost."""

    method: str
    error: ApiError | None
    after: bool

    @property
    def loses_reply(self) -> bool:
        """Tell whether the caller is to see a broken connection."""
        return self.error is None


@dataclass(frozen=True)
class OperationFault:
    """How one operation ends although its start was accepted."""

    method: str
    error: ApiError


class Faults:
    """The plan; ``unused`` at the end of a test must be empty."""

    def __init__(self) -> None:
        """Begin with no plan."""
        self._calls: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._operations: defaultdict[str, deque[OperationFault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def fail(
        self,
        method: str,
        status: int = 503,
        *,
        reason: str | None = None,
        message: str | None = None,
        after: bool = False,
        times: int = 1,
    ) -> None:
        """Plan an HTTP error for the next calls of a method, before or after the effect."""
        error = ApiError(status, message or _WORDS.get(status, "Internal error encountered."))
        error.reason = reason
        with self._lock:
            self._calls[method].extend([Fault(method, error, after)] * times)

    def lose_reply(self, method: str, *, times: int = 1) -> None:
        """Plan that the method has its effect and the connection breaks before the answer."""
        with self._lock:
            self._calls[method].extend([Fault(method, None, after=True)] * times)

    def fail_operation(self, method: str, status: str, message: str | None = None) -> None:
        """Plan that the next operation of a method ends with an error."""
        code = HTTP_STATUS.get(status, 500)
        canonical = status if status in HTTP_STATUS else "INTERNAL"
        text = message or "The operation failed."
        error = ApiError(code, text, status=canonical, reason=status)
        with self._lock:
            self._operations[method].append(OperationFault(method, error))

    def take(self, method: str) -> Fault | None:
        """Use up the next fault planned for a call of the method."""
        return self._pop(self._calls, method)

    def take_operation(self, method: str) -> OperationFault | None:
        """Use up the next fault planned for an operation of the method."""
        return self._pop(self._operations, method)

    def unused(self) -> dict[str, int]:
        """Count what was planned and never happened, by method id."""
        with self._lock:
            left = Counter({method: len(queue) for method, queue in self._calls.items()})
            left.update({method: len(queue) for method, queue in self._operations.items()})
        return {method: count for method, count in left.items() if count}

    def clear(self) -> None:
        """Drop the plan."""
        with self._lock:
            self._calls.clear()
            self._operations.clear()

    def _pop(self, plan: defaultdict[str, deque[_T]], method: str) -> _T | None:
        with self._lock:
            queue = plan.get(method)
            return queue.popleft() if queue else None


_WORDS: dict[int, str] = {
    401: "Request had invalid authentication credentials.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    409: "The operation was aborted.",
    429: "Quota exceeded.",
    503: "The service is currently unavailable.",
    504: "Deadline expired before operation could complete.",
}
