"""Event triggers: a push subscription of the trigger's own, as Eventarc makes one.

The path of an event is Google's: topic, subscription with an ID token of the trigger's account,
Cloud Run with its invoker check. The front end there turns the push into a CloudEvent when the
address asks for it (localcloud/ingress/events.py).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.errors import ApiError, invalid
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.brokers import broker_of, pushers_of
from localcloud.services.run.preflight import default_account

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
"""The one type of event that has a source here."""

OBSERVED = ("trigger",)
_NO_RETRY, _RETRY = "RETRY_POLICY_DO_NOT_RETRY", "RETRY_POLICY_RETRY"
# What Eventarc sets on its subscriptions (cloud.google.com/eventarc/docs/retry-events).
_DEADLINE, _RETENTION = 600, "86400s"
_BACKOFF = {"minimumBackoff": "10s", "maximumBackoff": "600s"}


def complete(cloud: Cloud, function: str, trigger: Resource) -> Resource:
    """Return an eventTrigger with its defaults, or refuse it."""
    kind = trigger.get("eventType")
    if not kind:
        raise invalid("Invalid value for event_trigger.event_type: must be set")
    if kind != PUBLISHED:
        raise ApiError(
            501, f"Events of type {kind} have no local counterpart; those of {PUBLISHED} have one."
        )
    for field in ("channel", "service", "eventFilters"):
        if trigger.get(field):
            raise invalid(f"Invalid value for event_trigger.{field}: not valid for {PUBLISHED}")
    topic = trigger.get("pubsubTopic")
    if not topic:
        raise invalid("Invalid value for event_trigger.pubsub_topic: must be set")
    topic = rules.check_name(cloud.by_id(topic), "topics")
    if topic not in broker_of(cloud).topics:
        raise invalid(f"Validation failed for trigger: Pub/Sub topic {topic} does not exist.")
    region = function.split("/")[3]
    made = {key: value for key, value in trigger.items() if key not in OBSERVED}
    made["pubsubTopic"] = topic
    made["serviceAccountEmail"] = made.get("serviceAccountEmail") or default_account(cloud)
    made.setdefault("triggerRegion", region)
    if made.get("retryPolicy") not in {_RETRY, _NO_RETRY}:
        made["retryPolicy"] = _NO_RETRY
    return made


def connect(cloud: Cloud, function: Resource) -> None:
    """Have the function's topic push to its service; names the trigger in the function."""
    trigger = function.get("eventTrigger")
    if trigger is None:
        return
    _, project, _, region, _, short = function["name"].split("/")
    store, broker = cloud.store.of("cloudfunctions"), broker_of(cloud)
    place = f"{function['name']}/trigger"
    kept = store.find(place) or {"id": f"{short}-{secrets.randbelow(900_000) + 100_000}"}
    trigger["trigger"] = f"projects/{project}/locations/{region}/triggers/{kept['id']}"
    name = f"projects/{project}/subscriptions/eventarc-{region}-{kept['id']}-sub-001"
    uri = function["serviceConfig"]["uri"]
    mode = quote(f"CUSTOM_PUBSUB_{trigger['pubsubTopic']}", safe="")
    push = {
        "pushEndpoint": f"{uri}?__GCP_CloudEventsMode={mode}",
        "oidcToken": {"serviceAccountEmail": trigger["serviceAccountEmail"], "audience": uri},
    }
    wanted = rules.subscription(
        {
            "topic": trigger["pubsubTopic"],
            "pushConfig": push,
            "ackDeadlineSeconds": _DEADLINE,
            "messageRetentionDuration": _RETENTION,
            "expirationPolicy": {},
            "retryPolicy": _BACKOFF,
        }
    )
    with broker.lock:
        present = broker.subscriptions.get(name)
        if present is not None and present.resource["topic"] != trigger["pubsubTopic"]:
            broker.delete_subscription(name)
            present = None
        if present is None:
            broker.topic(trigger["pubsubTopic"])
            broker.add_subscription({"name": name, **wanted})
        else:
            broker.change_subscription({**present.resource, "pushConfig": push})
    store.put(place, {**kept, "subscription": name})
    pushers_of(cloud).watch(name)


def disconnect(cloud: Cloud, function: str) -> None:
    """Delete the trigger's subscription; the topic stays."""
    store, broker = cloud.store.of("cloudfunctions"), broker_of(cloud)
    kept = store.find(f"{function}/trigger")
    if kept is None:
        return
    store.delete(f"{function}/trigger")
    with broker.lock:
        if kept["subscription"] in broker.subscriptions:
            broker.delete_subscription(kept["subscription"])


def forgives(function: Resource | None) -> bool:
    """Tell whether an event the function failed at is not to come again."""
    trigger: Resource = (function or {}).get("eventTrigger", {})
    return bool(trigger.get("retryPolicy") == _NO_RETRY)
