"""What topics, subscriptions and snapshots may be, and what the server adds to them.

Refusals are in the words the service was recorded with by others who compared with it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcloud import labels
from localcloud.clock import seconds
from localcloud.errors import ApiError, invalid
from localcloud.service import camel
from localcloud.services.pubsub.filters import compile_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Resource = dict[str, Any]

_NAME = re.compile(
    r"projects/[^/]+/(topics|subscriptions|snapshots|schemas)/([A-Za-z][-A-Za-z0-9_.~+%]{2,254})"
)
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

_FIXED = {"name", *SUBSCRIPTION_FIXED}
_NAMES = (
    "Refer to https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more "
    "information."
)
_LABEL_PATTERN = r"[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}"

_UNKNOWN = (
    "bigqueryConfig",
    "bigtableConfig",
    "cloudStorageConfig",
    "ingestionDataSourceSettings",
    "kmsKeyName",
    "messageTransforms",
)
"""Fields of the document that are not carried out here, and so are refused."""


def check_name(name: str, kind: str, field: str = "name") -> str:
    """Return *name* if a resource of this kind may be called that."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] != kind or found[2].lower().startswith("goog"):
        raise invalid(f"Invalid resource name given ({field}={name}). {_NAMES}")
    return name


def topic(body: Resource) -> Resource:
    """Return a topic's settings, checked and completed."""
    _refuse_unknown(body)
    settled = _only(body, TOPIC_FIELDS)
    _check_labels(settled)
    _check_retention(settled)
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


_CHANGEABLE = {
    "Topic": TOPIC_FIELDS,
    "Subscription": SUBSCRIPTION_FIELDS,
    "Snapshot": SNAPSHOT_FIELDS,
}


def masked(before: Resource, asked: Resource, kind: str) -> Resource:
    """Return *before* with the fields that an update request's mask names taken from what it sends.

    A field that is named and left out goes back to its default.
    """
    after, mask = asked.get(kind.lower(), {}), asked.get("updateMask") or ""
    paths = [camel(path.strip()) for path in mask.split(",") if path.strip()]
    if not paths:
        raise invalid(
            f"The update_mask in the Update{kind}Request must be set, and must contain a "
            "non-empty paths list."
        )
    changed = dict(before)
    for path in paths:
        head, _, rest = path.partition(".")
        if head not in _CHANGEABLE[kind]:
            raise invalid(
                f"Invalid update_mask provided in the Update{kind}Request: "
                + (
                    f"the '{_snake(path)}' field in the {kind} is not mutable."
                    if head in _FIXED
                    else f"'{_snake(path)}' is not a known {kind} field. Note that field paths "
                    "must be of the form 'push_config' rather than 'pushConfig'."
                )
            )
        _copy(changed, after, head, rest)
    return changed


def _snake(path: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", path)


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
    sent = settled.get("labels", {})
    if len(sent) > labels.MOST:
        raise _bad_argument(f"Invalid labels: more than {labels.MOST} of them")
    for key, value in sent.items():
        if not labels.is_key(key):
            raise _bad_argument(
                f'Invalid labels: Invalid field "labels"; key "{key}" does not conform to regular '
                f'expression "{_LABEL_PATTERN}"'
            )
        if not labels.is_value(value):
            raise _bad_argument(
                f'Invalid labels: Invalid field "labels.{key}"; value "{value}" does not conform '
                r'to regular expression "[\p{Ll}\p{Lo}\p{N}_-]{0,63}"'
            )


def _bad_argument(what: str) -> ApiError:
    return invalid(f"You have passed an invalid argument to the service (argument={what}).")


def _said(span: float) -> str:
    """Write a span as the service does: 9m59s, 744h."""
    hours, rest = divmod(abs(span), 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours:.0f}h" if hours else "", f"{minutes:.0f}m" if minutes else ""]
    text = "".join(parts)
    if left or not text:
        text += f"{left:.9f}".rstrip("0").rstrip(".") + "s"
    return f"-{text}" if span < 0 else text


def _check_retention(settled: Resource) -> None:
    span = seconds(settled.get("messageRetentionDuration"), 600)
    if not 600 <= span <= 31 * _DAY:  # noqa: PLR2004 - as the message says
        raise invalid(
            "The value for message retention duration is out of bounds. You passed "
            f"{_said(span)} in the request, but the value must be between 10m and 744h."
        )


def _check_number(name: str, value: int, bounds: range) -> None:
    if value not in bounds:
        way, word = ("small", "minimum") if value < bounds[0] else ("large", "maximum")
        raise invalid(
            f"The value for {name} is too {way}. You passed {value} in the request, but the "
            f"{word} value is {bounds[0] if way == 'small' else bounds[-1]}."
        )


def _deadline(settled: Resource) -> None:
    span = int(settled.setdefault("ackDeadlineSeconds", 10))
    if not 10 <= span <= 600:  # noqa: PLR2004 - Google's limits, shown in the message
        raise invalid(
            f"Invalid ack deadline given (ack_deadline={span}). The ack deadline must be between "
            "10 and 600 seconds."
        )


def _retention(settled: Resource) -> None:
    ttl = seconds(settled.setdefault("expirationPolicy", {"ttl": f"{31 * _DAY}s"}).get("ttl"))
    if "ttl" in settled["expirationPolicy"] and ttl < _DAY:
        raise invalid(
            f"The value for expiration duration is too small. You passed {_said(ttl)} in the "
            "request, but the minimum value is 24h."
        )
    usual = min(ttl or math.inf, 7 * _DAY)
    settled.setdefault("messageRetentionDuration", f"{usual:.0f}s")
    _check_retention(settled)
    kept = seconds(settled["messageRetentionDuration"])
    if ttl and kept > ttl:
        raise invalid(
            f"The subscription's message retention duration ({kept:.0f} seconds) cannot be greater "
            f"than the TTL in the subscription's expiration policy ({ttl:.0f} seconds), since "
            "messages cannot be retained past subscription expiration."
        )


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
            f"Invalid push endpoint given (endpoint={endpoint}). Refer to "
            "https://cloud.google.com/pubsub/subscriber#create for more information."
        )
    if settled.get("enableExactlyOnceDelivery"):
        raise invalid("Exactly-once delivery is not supported for push subscriptions.")
    if push.get("oidcToken") == {}:
        del push["oidcToken"]
    token = push.get("oidcToken")
    if token is not None and not token.get("serviceAccountEmail"):
        raise _bad_argument("PushConfig::oidc_token::service_account_email")


def _retry(settled: Resource) -> None:
    policy = settled.get("retryPolicy")
    if policy is None:
        return
    policy = settled["retryPolicy"] = {
        "minimumBackoff": policy.get("minimumBackoff", "10s"),
        "maximumBackoff": policy.get("maximumBackoff", "600s"),
    }
    low, high = seconds(policy["minimumBackoff"]), seconds(policy["maximumBackoff"])
    for name, span in (("minimum_backoff", low), ("maximum_backoff", high)):
        if not 0 <= span <= _LONGEST_BACKOFF:
            raise invalid(
                f"The value for {name} is out of bounds. You passed {_said(span)} in the request, "
                "but the value must be between 0 and 10m."
            )
    if low > high:
        raise invalid(
            f"The specified maximum_backoff {_said(high)} cannot be smaller than minimum_backoff "
            f"{_said(low)}."
        )


def _dead_letter(settled: Resource) -> None:
    policy = settled.get("deadLetterPolicy")
    if policy is None:
        return
    grave = policy.get("deadLetterTopic", "")
    check_name(grave, "topics", "dead_letter_topic")
    attempts = int(policy.get("maxDeliveryAttempts") or _ATTEMPTS[0])
    _check_number("max_delivery_attempts", attempts, _ATTEMPTS)
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
