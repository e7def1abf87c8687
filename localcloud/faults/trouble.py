"""What a test or a person can have go wrong, by method id: one table for tests and commands."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from localcloud.faults import latency
from localcloud.faults.planned import Chaos, Fault, OperationFault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from localcloud.documents.router import Router
    from localcloud.faults.limits import Limits
    from localcloud.faults.planned import Faults
    from localcloud.store import Store


_CONSISTENT = frozenset({"storage", "pubsub"})
"""APIs whose reads never lag (cloud.google.com/storage/docs/consistency)."""

_ERRORS = range(400, 600)

PACES = ("none", *latency.PACES, "spread")
"""How long things may be made to take."""

KINDS_OF_DELAY = ("policies", "services", "constraints", "certificates")
"""What may be made to count only after a while: IAM policies, enabled APIs, org policies, and the
records that a managed certificate waits for."""


class Trouble:
    """The part of a cloud that plans what goes wrong; all of it on the cloud's clock and seed."""

    faults: Faults
    limits: Limits
    latency: dict[str, float]
    random: Random
    router: Router
    store: Store
    propagation: dict[str, float]

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
        self._known(method)
        if status not in _ERRORS:
            raise ValueError(f"{status} is no status of an error; those are 400 to 599")
        self.faults.plan(Fault.refused(method, status, reason, message, after=after), times)

    def lose_reply(self, method: str, *, times: int = 1) -> None:
        """Plan that a method has its effect and the connection breaks before the answer."""
        self._known(method)
        self.faults.plan(Fault(method, after=True), times)

    def reset(self, method: str, *, times: int = 1) -> None:
        """Plan that the connection breaks before a method has any effect."""
        self._known(method)
        self.faults.plan(Fault(method, cuts=True), times)

    def slow(self, method: str, seconds: float, *, times: int = 1) -> None:
        """Plan that a method takes so much longer; a virtual clock goes on by itself."""
        self._known(method)
        if seconds <= 0:
            raise ValueError("a slow reply takes more than 0 seconds")
        self.faults.plan(Fault(method, delay=seconds), times)

    def fail_operation(
        self, method: str, status: str, message: str | None = None, *, times: int = 1
    ) -> None:
        """Plan that the next operations of a method end with an error."""
        self._known(method)
        self.faults.plan(OperationFault.ended(method, status, message), times)

    def lose_operation(self, method: str, *, times: int = 1) -> None:
        """Plan that the next operations of a method do their work and then answer 404."""
        self._known(method)
        self.faults.plan(OperationFault(method), times)

    def stale(self, method: str, seconds: float) -> None:
        """Have a reading method answer as things were so long ago; 0 ends it."""
        self._known(method)
        if method.partition(".")[0] in _CONSISTENT:
            raise ValueError(f"{method} is never stale: Google promises that it is not")
        if not any(
            found.names(method) and found.methods[method].http_method == "GET"
            for found in map(self.router.document, self.router.services)
        ):
            raise ValueError(f"{method} does not read")
        self.store.past.lag(method, seconds)

    def limit(self, method: str, most: int, *, seconds: float = 60.0) -> None:
        """Answer 429 to more than so many calls of a method within so many seconds."""
        self._known(method)
        self.limits.set(method, most, seconds=seconds)

    def pace(self, pace: str) -> None:
        """Set how long calls and operations take: none, low, typical, high, or spread by chance."""
        if pace not in PACES:
            raise ValueError(f"a pace is one of {', '.join(PACES)}, not {pace}")
        spread = pace == "spread"
        self.latency = latency.Spread(self.random) if spread else latency.table(pace)

    def delay(self, kind: str, seconds: float) -> None:
        """Have changes of policies, services, constraints or records count only after so long."""
        if kind not in KINDS_OF_DELAY:
            raise ValueError(f"a kind is one of {', '.join(KINDS_OF_DELAY)}, not {kind}")
        if kind == "certificates":
            self.latency[latency.ISSUANCE] = seconds
        else:
            self.propagation[kind] = seconds

    def chaos(
        self,
        *,
        unavailable: float = 0.0,
        lost: float = 0.0,
        operations_failed: float = 0.0,
        operations_lost: float = 0.0,
    ) -> None:
        """Have shares (0 to 1) of all calls and operations go wrong by chance, as the seed has it.

        Args:
            unavailable: calls answered with 503 before they have any effect.
            lost: calls that have their effect and whose reply never comes.
            operations_failed: operations that end with an error.
            operations_lost: operations that do their work and are then not found.
        """
        shares = (unavailable, lost, operations_failed, operations_lost)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("a share is between 0 and 1")
        self.faults.chaos = Chaos(*shares)

    def unused_faults(self) -> dict[str, int]:
        """Count planned faults that never happened; empty at the end of a good test."""
        return self.faults.unused()

    def end_trouble(self) -> None:
        """Drop every plan, limit and lag; how long things take stays."""
        self.faults.clear()
        self.limits.clear()
        self.store.past.clear()

    def plan(self, verb: str, given: Mapping[str, Any]) -> dict[str, int]:
        """Do what a command asks, by the name of one of these methods; give what is planned."""
        if verb not in VERBS:
            raise LookupError(f"no such fault: {verb}; known: {', '.join(VERBS)}")
        try:
            getattr(self, VERBS[verb])(**given)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return self.unused_faults()

    def _known(self, method: str) -> None:
        if not self.router.names(method):
            known = (name for service in self.router.services for name in service.handlers)
            near = get_close_matches(method, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise LookupError(f"no registered API has a method {method!r}{hint}")


VERBS = {
    "fail": "fail",
    "lose_reply": "lose_reply",
    "reset": "reset",
    "slow": "slow",
    "fail_operation": "fail_operation",
    "lose_operation": "lose_operation",
    "stale": "stale",
    "limit": "limit",
    "pace": "pace",
    "delay": "delay",
    "chaos": "chaos",
    "list": "unused_faults",
    "clear": "end_trouble",
}
"""What commands may ask for, and the method that does it."""
