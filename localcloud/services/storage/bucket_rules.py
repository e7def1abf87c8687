"""What a bucket's settings may be, and what the server adds to them."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from localcloud.errors import ApiError
from localcloud.services.storage import views
from localcloud.services.storage.shelf import Resource

SETTABLE = (
    "autoclass",
    "billing",
    "cors",
    "defaultEventBasedHold",
    "hierarchicalNamespace",
    "iamConfiguration",
    "labels",
    "lifecycle",
    "logging",
    "retentionPolicy",
    "rpo",
    "softDeletePolicy",
    "storageClass",
    "versioning",
    "website",
)
"""What a caller may say about a bucket besides its name and place."""

_UNKNOWN = ("encryption", "ipFilter")
"""Settings that would promise protection which there is not here, and so are refused."""

_OF_UPLOADS = {"age", "matchesPrefix", "matchesSuffix"}
_DAY = 86_400
_WEEK = 7 * _DAY
_LOCKED_AFTER = 90 * _DAY
_SOFT_DELETE = range(_WEEK, 90 * _DAY + 1)
_MOST_LABELS = 64
_LABEL_KEY = re.compile(r"[a-z\u00df-\uffff][-_0-9a-z\u00df-\uffff]{0,62}")
_LABEL_VALUE = re.compile(r"[-_0-9a-z\u00df-\uffff]{0,63}")
_CLASSES = {
    "STANDARD",
    "NEARLINE",
    "COLDLINE",
    "ARCHIVE",
    "MULTI_REGIONAL",
    "REGIONAL",
    "DURABLE_REDUCED_AVAILABILITY",
}
_ACTIONS = {"Delete", "SetStorageClass", "AbortIncompleteMultipartUpload"}


def settle(resource: Resource, before: Resource, now: float) -> Resource:
    """Return a bucket's settings checked and completed; *before* is what they were."""
    settled = dict(resource)
    settled.setdefault("storageClass", "STANDARD")
    for key, rule in _RULES.items():
        value = rule(settled.get(key), before.get(key), now)
        if value is None:
            settled.pop(key, None)
        else:
            settled[key] = value
    return settled


def refuse_unknown(body: Resource) -> None:
    """Refuse a bucket with a setting that would be kept and never carried out."""
    for key in _UNKNOWN:
        if body.get(key):
            raise ApiError(501, f"The field {key} is not known here.", reason="notImplemented")


def check_class(value: object) -> None:
    """Refuse a storage class that there is not."""
    if value not in _CLASSES:
        raise _invalid(f"The specified storage class '{value}' is not valid.")


def _invalid(message: str) -> ApiError:
    return ApiError(400, message, reason="invalid")


def _storage_class(value: Any, _before: Any, _now: float) -> Any:
    check_class(value)
    return value


def _labels(value: Any, _before: Any, _now: float) -> Any:
    labels = value or {}
    if len(labels) > _MOST_LABELS:
        raise _invalid(f"Too many labels: {len(labels)}, at most {_MOST_LABELS} are allowed.")
    for key, text in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise _invalid(f"Invalid bucket label key: '{key}'.")
        if not _LABEL_VALUE.fullmatch(text):
            raise _invalid(f"Invalid bucket label value: '{text}'.")
    return labels or None


def _access(value: Any, before: Any, now: float) -> Any:
    given = value or {}
    # The same switch has two names; the newer one counts when both are given.
    switch = given.get("uniformBucketLevelAccess", given.get("bucketPolicyOnly")) or {}
    enabled = bool(switch.get("enabled"))
    uniform: Resource = {"enabled": enabled}
    old = (before or {}).get("uniformBucketLevelAccess", {})
    if enabled:
        locked = old.get("lockedTime") if old.get("enabled") else None
        uniform["lockedTime"] = locked or views.stamp(now + _LOCKED_AFTER)
    elif old.get("enabled") and views.moment(old["lockedTime"]) <= now:
        message = "Cannot disable Uniform bucket-level access after its locked time."
        raise ApiError(412, message, reason="conditionNotMet")
    prevention = given.get("publicAccessPrevention") or "inherited"
    if prevention == "unspecified":
        prevention = "inherited"
    if prevention not in {"inherited", "enforced"}:
        raise _invalid(f"Invalid argument: publicAccessPrevention '{prevention}'.")
    return {
        "bucketPolicyOnly": uniform,
        "uniformBucketLevelAccess": uniform,
        "publicAccessPrevention": prevention,
    }


def _soft_delete(value: Any, before: Any, now: float) -> Any:
    seconds = int((value or {}).get("retentionDurationSeconds", _WEEK))
    if seconds and seconds not in _SOFT_DELETE:
        raise _invalid(
            "Soft delete policy retention duration must be 0 or between 7 and 90 days, "
            f"found {seconds} seconds."
        )
    same = before and int(before["retentionDurationSeconds"]) == seconds
    since = before["effectiveTime"] if same else views.stamp(now)
    return {"retentionDurationSeconds": str(seconds), "effectiveTime": since}


def _retention(value: Any, before: Any, now: float) -> Any:
    locked = bool(before and before.get("isLocked"))
    if not value:
        if locked:
            message = "Cannot remove a locked retention policy."
            raise ApiError(403, message, reason="forbidden")
        return None
    period = int(value.get("retentionPeriod", 0))
    if period <= 0:
        raise _invalid("Retention period must be greater than 0 seconds.")
    if locked and period < int(before["retentionPeriod"]):
        message = "Cannot reduce the duration of a locked retention policy."
        raise ApiError(403, message, reason="forbidden")
    same = before and int(before["retentionPeriod"]) == period
    settled: Resource = {
        "retentionPeriod": str(period),
        "effectiveTime": before["effectiveTime"] if same else views.stamp(now),
    }
    if locked or value.get("isLocked"):
        settled["isLocked"] = True
    return settled


def _lifecycle(value: Any, _before: Any, _now: float) -> Any:
    rules = (value or {}).get("rule") or []
    for rule in rules:
        _check_rule(rule.get("action") or {}, rule.get("condition") or {})
    return {"rule": rules} if rules else None


def _check_rule(action: Resource, condition: Resource) -> None:
    kind = action.get("type")
    if kind not in _ACTIONS:
        raise _invalid(f"Invalid lifecycle action type '{kind}'.")
    if not condition:
        raise _invalid("A lifecycle management rule must have at least one condition.")
    if kind == "SetStorageClass":
        check_class(action.get("storageClass"))
    if kind == "AbortIncompleteMultipartUpload" and condition.keys() - _OF_UPLOADS:
        raise _invalid(
            "AbortIncompleteMultipartUpload only supports the conditions age, matchesPrefix and "
            "matchesSuffix."
        )
    _check_condition(condition)


def _check_condition(condition: Resource) -> None:
    for key in ("age", "numNewerVersions", "daysSinceCustomTime", "daysSinceNoncurrentTime"):
        if condition.get(key, 0) < 0:
            raise _invalid(f"Invalid value for lifecycle condition {key}: {condition[key]}")
    for key in ("createdBefore", "customTimeBefore", "noncurrentTimeBefore"):
        if key in condition:
            try:
                date.fromisoformat(condition[key])
            except ValueError:
                raise _invalid(f"Invalid date in {key}: '{condition[key]}'") from None
    for each in condition.get("matchesStorageClass", []):
        check_class(each)


def _autoclass(value: Any, before: Any, now: float) -> Any:
    if not value:
        return None
    old = before or {}
    enabled = bool(value.get("enabled"))
    settled: Resource = {
        "enabled": enabled,
        "toggleTime": old["toggleTime"] if old.get("enabled") == enabled else views.stamp(now),
    }
    if enabled:
        terminal = value.get("terminalStorageClass") or "NEARLINE"
        if terminal not in {"NEARLINE", "ARCHIVE"}:
            raise _invalid(f"Invalid Autoclass terminal storage class '{terminal}'.")
        same = old.get("terminalStorageClass") == terminal
        since = old["terminalStorageClassUpdateTime"] if same else views.stamp(now)
        settled |= {"terminalStorageClass": terminal, "terminalStorageClassUpdateTime": since}
    return settled


_RULES: dict[str, Callable[[Any, Any, float], Any]] = {
    "autoclass": _autoclass,
    "storageClass": _storage_class,
    "labels": _labels,
    "iamConfiguration": _access,
    "softDeletePolicy": _soft_delete,
    "retentionPolicy": _retention,
    "lifecycle": _lifecycle,
}
