"""Planned failures, by method id, used up in the order they were planned."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from localcloud.errors import HTTP_STATUS, ApiError
from localcloud.transport import ConnectionReset, ReplyLost

if TYPE_CHECKING:
    from random import Random

    from localcloud.clock import Clock

_T = TypeVar("_T")


@dataclass(frozen=True)
class Fault:
    """What happens to one call, before its effect or after it."""

    method: str
    error: ApiError | None = None
    after: bool = False
    cuts: bool = False
    delay: float = 0.0

    @classmethod
    def refused(
        cls, method: str, status: int, reason: str | None, message: str | None, *, after: bool
    ) -> Fault:
        """Answer with an HTTP error, in Google's words unless others are given."""
        error = ApiError(status, message or _WORDS.get(status, "Internal error encountered."))
        error.reason = reason
        return cls(method, error, after=after)

    def before(self, clock: Clock) -> None:
        """Do what comes before the handler: wait, refuse, or hang up."""
        if self.delay:
            clock.pause(self.delay)
        if self.after:
            return
        if self.cuts:
            raise ConnectionReset(f"the connection of {self.method} was reset")
        if self.error is not None:
            raise self.error

    def afterwards(self) -> None:
        """Do what comes after the handler: hide that it had its effect."""
        if not self.after:
            return
        if self.error is not None:
            raise self.error
        raise ReplyLost(f"the reply of {self.method} was lost")


@dataclass(frozen=True)
class OperationFault:
    """How one operation ends although its start was accepted; no error: nobody finds it any more."""

    method: str
    error: ApiError | None = None

    @classmethod
    def ended(cls, method: str, status: str, message: str | None = None) -> OperationFault:
        """End with an error; a status that is not one of Google's is the reason of an INTERNAL."""
        code = HTTP_STATUS.get(status, 500)
        canonical = status if status in HTTP_STATUS else "INTERNAL"
        words = message or "The operation failed."
        return cls(method, ApiError(code, words, status=canonical, reason=status))


@dataclass(frozen=True)
class Chaos:
    """Shares of calls and operations that go wrong by chance, each between 0 and 1."""

    unavailable: float = 0.0
    lost: float = 0.0
    operations_failed: float = 0.0
    operations_lost: float = 0.0


class Faults:
    """The plan; ``unused`` at the end of a test must be empty."""

    def __init__(self, random: Random) -> None:
        """Begin with no plan; ``random`` decides where chance does."""
        self._calls: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._operations: defaultdict[str, deque[OperationFault]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._random = random
        self.chaos = Chaos()

    def plan(self, fault: Fault | OperationFault, times: int = 1) -> None:
        """Have a fault happen to the next calls, or to the next operations, of its method."""
        with self._lock:
            if isinstance(fault, Fault):
                self._calls[fault.method].extend([fault] * times)
            else:
                self._operations[fault.method].extend([fault] * times)

    def take(self, method: str) -> Fault | None:
        """Use up the next fault planned for a call of the method, or leave it to chance."""
        planned = self._pop(self._calls, method)
        if planned is not None or self.chaos == Chaos():
            return planned
        chance = self._chance()
        if chance < self.chaos.unavailable:
            return Fault(method, ApiError(503, _WORDS[503]))
        if chance < self.chaos.unavailable + self.chaos.lost:
            return Fault(method, after=True)
        return None

    def take_operation(self, method: str) -> OperationFault | None:
        """Use up the next fault planned for an operation of the method, or leave it to chance."""
        planned = self._pop(self._operations, method)
        if planned is not None or self.chaos == Chaos():
            return planned
        chance = self._chance()
        if chance < self.chaos.operations_failed:
            return OperationFault.ended(method, "INTERNAL")
        if chance < self.chaos.operations_failed + self.chaos.operations_lost:
            return OperationFault(method)
        return None

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
            self.chaos = Chaos()

    def _chance(self) -> float:
        with self._lock:
            return self._random.random()

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
