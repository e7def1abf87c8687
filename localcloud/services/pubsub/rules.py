"""What topics, subscriptions and snapshots may be, and what the server adds to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcloud.errors import ApiError, invalid
from localcloud.service import camel
from localcloud.services.pubsub.filters import compile_filter
from localcloud.services.pubsub.subscription import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Resource = dict[str, Any]

_NAME = re.compile(
    r"projects/[^/]+/(topics|subscriptions|snapshots)/([A-Za-z][-A-Za-z0-9_.~+%]{2,254})"
)
_LABEL_KEY = re.compile(r"[a-z\u00df-\uffff][-_0-9a-z\u00df-\uffff]{0,62}")
_LABEL_VALUE = re.compile(r"[-_0-9a-z\u00df-\uffff]{0,63}")
_MOST_LABELS = 64
_DAY = 86_400
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ATTEMPTS = range(5, 101)
_LONGEST_BACKOFF = 600

TOPIC_FIELDS = (
    "kmsKeyName",
    "labels",
    "messageRetentionDuration",
    "messageStoragePolicy",
    "schemaSettings",
)
SUBSCRIPTION_FIELDS = (
    "ackDeadlineSeconds",
    "deadLetterPolicy",
    "enableExactlyOnceDelivery",
    "expirationPolicy",
    "labels",
    "messageRetentionDuration",
    "pushConfig",
    "retainAckedMessages",
    "retryPolicy",
)
SUBSCRIPTION_FIXED = ("enableMessageOrdering", "filter", "topic")
SNAPSHOT_FIELDS = ("expireTime", "labels")

_UNKNOWN = (
    "bigqueryConfig",
    "bigtableConfig",
    "cloudStorageConfig",
    "ingestionDataSourceSettings",
    "kmsKeyName",
    "messageTransforms",
    "schemaSettings",
)
"""Fields of the document that are not carried out here, and so are refused."""


def check_name(name: str, kind: str) -> str:
    """Return *name* if a resource of this kind may be called that."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] != kind or found[2].lower().startswith("goog"):
        raise invalid(f"Invalid [{kind}] name: (name={name})")
    return name


def topic(body: Resource) -> Resource:
    """Return a topic's settings, checked and completed."""
    _refuse_unknown(body)
    settled = _only(body, TOPIC_FIELDS)
    _check_labels(settled)
    _check_span(settled, "messageRetentionDuration", 600, 31 * _DAY)
    return settled | {"state": "ACTIVE"}


def subscription(body: Resource) -> Resource:
    """Return a subscription's settings, checked and completed."""
    _refuse_unknown(body)
    settled = _only(body, SUBSCRIPTION_FIELDS + SUBSCRIPTION_FIXED)
    if body.get("expirationPolicy") == {}:
        # A policy without a time means that the subscription never expires.
        settled["expirationPolicy"] = {}
    for rule in _RULES:
        rule(settled)
    return settled | {"state": "ACTIVE"}


def snapshot(body: Resource) -> Resource:
    """Return a snapshot's settings, checked."""
    settled = _only(body, SNAPSHOT_FIELDS)
    _check_labels(settled)
    return settled


def masked(
    before: Resource, after: Resource, mask: str | None, *, fields: tuple[str, ...], kind: str
) -> Resource:
    """Return *before* with the fields *mask* names taken from *after*.

    A field that is named and left out goes back to its default.
    """
    paths = [camel(path.strip()) for path in (mask or "").split(",") if path.strip()]
    if not paths:
        raise invalid(
            f"The update_mask in the Update{kind}Request must be set, and must contain a "
            "non-empty paths list."
        )
    changed = dict(before)
    for path in paths:
        head, _, rest = path.partition(".")
        if head not in fields:
            raise invalid(
                f"Invalid update_mask provided in the Update{kind}Request: '{path}' is not a "
                f"{kind} field that can be updated. Choose from: {', '.join(fields)}."
            )
        _copy(changed, after, head, rest)
    return changed


def _copy(changed: Resource, after: Resource, head: str, rest: str) -> None:
    if not rest:
        changed.pop(head, None)
        if head in after:
            changed[head] = after[head]
        return
    inner = dict(changed.get(head) or {})
    _copy(inner, after.get(head) or {}, *_split(rest))
    changed[head] = inner


def _split(path: str) -> tuple[str, str]:
    head, _, rest = path.partition(".")
    return head, rest


def _only(body: Mapping[str, Any], fields: tuple[str, ...]) -> Resource:
    # What has the default value is as good as absent: gRPC clients send only what they set.
    return {key: body[key] for key in fields if body.get(key) not in (None, "", {}, [], False)}


def _refuse_unknown(body: Mapping[str, Any]) -> None:
    for field in _UNKNOWN:
        if body.get(field):
            raise ApiError(501, f"The field {field} is not known here.", status="UNIMPLEMENTED")


def _check_labels(settled: Resource) -> None:
    labels = settled.get("labels", {})
    bad = [key for key in labels if not _LABEL_KEY.fullmatch(key)]
    bad += [value for value in labels.values() if not _LABEL_VALUE.fullmatch(value)]
    if bad or len(labels) > _MOST_LABELS:
        raise invalid(f"Invalid labels: {', '.join(bad) or 'more than 64'}.")


def _check_span(settled: Resource, field: str, low: float, high: float) -> None:
    if field in settled and not low <= seconds(settled[field]) <= high:
        raise invalid(
            f"Invalid {field}: {settled[field]}. It must be between {low:.0f} and {high:.0f} "
            "seconds."
        )


def _deadline(settled: Resource) -> None:
    span = int(settled.setdefault("ackDeadlineSeconds", 10))
    if not 10 <= span <= 600:  # noqa: PLR2004 - Google's limits, shown in the message
        raise invalid(
            f"Invalid ack deadline given: {span}. The ack deadline must be between 10 and 600 "
            "seconds."
        )


def _retention(settled: Resource) -> None:
    settled.setdefault("messageRetentionDuration", f"{7 * _DAY}s")
    _check_span(settled, "messageRetentionDuration", 600, 31 * _DAY)
    settled.setdefault("expirationPolicy", {"ttl": f"{31 * _DAY}s"})


def _push(settled: Resource) -> None:
    push = settled.setdefault("pushConfig", {})
    endpoint = push.get("pushEndpoint", "")
    if not endpoint:
        settled["pushConfig"] = {}
        return
    parts = urlsplit(endpoint)
    # A plain loopback address is a test's own listener; Google reaches https only.
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not secure or not parts.hostname:
        raise invalid(
            f"Invalid push endpoint given (endpoint={endpoint}). The endpoint must be an absolute "
            'URL starting with "https://".'
        )
    if push.get("oidcToken") == {}:
        del push["oidcToken"]
    token = push.get("oidcToken")
    if token is not None and not token.get("serviceAccountEmail"):
        raise invalid("The OIDC token of a push configuration needs a service account.")


def _retry(settled: Resource) -> None:
    policy = settled.get("retryPolicy")
    if policy is None:
        return
    policy = settled["retryPolicy"] = {
        "minimumBackoff": policy.get("minimumBackoff", "10s"),
        "maximumBackoff": policy.get("maximumBackoff", "600s"),
    }
    low, high = seconds(policy["minimumBackoff"]), seconds(policy["maximumBackoff"])
    if not 0 <= low <= high <= _LONGEST_BACKOFF:
        raise invalid(
            "Invalid retry policy: the backoffs must be between 0 and 600 seconds, and the "
            "minimum not above the maximum."
        )


def _dead_letter(settled: Resource) -> None:
    policy = settled.get("deadLetterPolicy")
    if policy is None:
        return
    grave = policy.get("deadLetterTopic", "")
    check_name(grave, "topics")
    attempts = int(policy.get("maxDeliveryAttempts") or _ATTEMPTS[0])
    if attempts not in _ATTEMPTS:
        raise invalid(f"Invalid max delivery attempts: {attempts}. It must be between 5 and 100.")
    settled["deadLetterPolicy"] = {"deadLetterTopic": grave, "maxDeliveryAttempts": attempts}


def _filter(settled: Resource) -> None:
    compile_filter(settled.get("filter", ""))


_RULES: tuple[Callable[[Resource], None], ...] = (
    _check_labels,
    _deadline,
    _retention,
    _push,
    _retry,
    _dead_letter,
    _filter,
)
