"""The conditions of Cloud Run resources: what state they are in, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.store import Resource

SUCCEEDED, FAILED = "CONDITION_SUCCEEDED", "CONDITION_FAILED"
RECONCILING = "CONDITION_RECONCILING"

# Reasons of the condition's three enums; a reason lives in the field whose enum has it.
_REVISION_REASONS = frozenset(
    {"HEALTH_CHECK_CONTAINER_ERROR", "MIN_INSTANCES_NOT_PROVISIONED", "RETIRED", "PENDING"}
)
_EXECUTION_REASONS = frozenset({"NON_ZERO_EXIT_CODE", "CANCELLED", "CANCELLING", "DELETED"})


def condition(kind: str, state: str, now: str, *, reason: str = "", message: str = "") -> Resource:
    """Return one condition."""
    made: Resource = {"type": kind, "state": state, "lastTransitionTime": now}
    if message:
        made["message"] = message
    if state == FAILED:
        made["severity"] = "ERROR"
    if reason:
        made[_field(reason)] = reason
    return made


def _field(reason: str) -> str:
    if reason in _REVISION_REASONS:
        return "revisionReason"
    return "executionReason" if reason in _EXECUTION_REASONS else "reason"


def several(
    kinds: Sequence[str], state: str, now: str, *, reason: str = "", message: str = ""
) -> list[Resource]:
    """Return conditions of several types that are in the same state for the same reason."""
    return [condition(kind, state, now, reason=reason, message=message) for kind in kinds]
