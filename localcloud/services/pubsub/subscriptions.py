"""Subscriptions: made, shown, changed, deleted, pulled from and acknowledged."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from localcloud.clock import RealClock
from localcloud.errors import ApiError, error_info, invalid, not_found, precondition
from localcloud.service import Call, Resource, page
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.broker import DELETED_TOPIC
from localcloud.services.pubsub.brokers import broker_of, pushers_of
from localcloud.services.pubsub.topics import by_id, in_project, named

if TYPE_CHECKING:
    from localcloud.services.pubsub.broker import Broker
    from localcloud.services.pubsub.queue import Handed

_PULL_SECONDS = 5.0
"""How long a pull waits for a first message; Google says only that it is bounded."""

_LONGEST_LEASE = 600
_ACK_ID = re.compile(r"[0-9a-f]{12}-[0-9]+")
"""The shape of identifiers here; one that never was any is refused, one that is over is not."""

_MOST_PULLED = 1000


def create(call: Call) -> Resource:
    """Make a subscription to a topic that exists."""
    broker = broker_of(call.cloud)
    name = rules.check_name(named(call), "subscriptions")
    body = {**call.body, "topic": call.cloud.by_id(call.body.get("topic", ""))}
    rules.check_name(body["topic"], "topics")
    call.require("pubsub.topics.attachSubscription", body["topic"])
    resource = {"name": name, **rules.subscription(body)}
    _check_push(call, resource)
    with broker.lock:
        broker.topic(resource["topic"])
        _check_grave(broker, resource)
        broker.add_subscription(resource)
    pushers_of(call.cloud).watch(name)
    return _shown(broker, resource)


def get(call: Call) -> Resource:
    """Show a subscription."""
    broker = broker_of(call.cloud)
    return _shown(broker, broker.subscription(by_id(call, "subscription")).resource)


def list_all(call: Call) -> Resource:
    """Show a project's subscriptions."""
    broker = broker_of(call.cloud)
    found = in_project(call, broker.subscriptions)
    return page(call, [_shown(broker, resource) for resource in found], "subscriptions")


def patch(call: Call) -> Resource:
    """Change the fields of the mask; ordering, filter and topic stay what they are."""
    broker = broker_of(call.cloud)
    with broker.lock:
        before = broker.subscription(named(call, "subscription")).resource
        changed = rules.masked(before, call.body, "Subscription")
        return _change(call, broker, before, changed)


def modify_push(call: Call) -> Resource:
    """Change where messages are pushed to; an empty configuration makes it a pull subscription."""
    broker = broker_of(call.cloud)
    with broker.lock:
        before = broker.subscription(by_id(call, "subscription")).resource
        _change(call, broker, before, {**before, "pushConfig": call.body.get("pushConfig", {})})
    return {}


def delete(call: Call) -> None:
    """Delete a subscription with all its messages."""
    name = by_id(call, "subscription")
    broker_of(call.cloud).delete_subscription(name)
    call.cloud.iam.forget(f"//pubsub.googleapis.com/{name}")


def detach(call: Call) -> Resource:
    """Cut a subscription off its topic: it gets nothing more, and what it had is gone."""
    broker = broker_of(call.cloud)
    with broker.lock:
        subscription = broker.subscription(by_id(call, "subscription"))
        subscription.begin_anew([], [])
        broker.change_subscription({**subscription.resource, "detached": True})
    return {}


def pull(call: Call) -> Resource:
    """Hand out messages, waiting a while for the first one."""
    most = call.body.get("maxMessages", 0)
    if most <= 0:
        raise invalid("You have passed an invalid argument to the service (argument=max_messages).")
    broker = broker_of(call.cloud)
    name = by_id(call, "subscription")
    refuse_pull(broker.subscription(name).resource)
    waits = not call.body.get("returnImmediately") and isinstance(call.cloud.clock, RealClock)
    handed = _wait(broker, name, min(most, _MOST_PULLED), _PULL_SECONDS if waits else 0.0)
    if not handed:
        return {}
    counted = bool(broker.subscription(name).resource.get("deadLetterPolicy"))
    return {"receivedMessages": [received(item, counted=counted) for item in handed]}


def acknowledge(call: Call) -> None:
    """Acknowledge messages."""
    broker, name, ack_ids = _ack_ids(call)
    unknown = broker.acknowledge(name, ack_ids)
    _refuse_stale(broker, name, unknown)


def modify_deadline(call: Call) -> None:
    """Move deadlines; 0 seconds give messages back."""
    span = call.body.get("ackDeadlineSeconds", 0)
    check_span(span)
    broker, name, ack_ids = _ack_ids(call)
    unknown = broker.extend(name, ack_ids, span)
    _refuse_stale(broker, name, unknown)


def check_span(span: int) -> None:
    """Refuse a deadline that is moved too far."""
    if not 0 <= span <= _LONGEST_LEASE:
        raise invalid(
            f"Invalid ack deadline given (ack_deadline={span}). The ack deadline must be between 0 "
            "and 600 seconds."
        )


def received(handed: Handed, *, counted: bool) -> Resource:
    """Show a message as a subscriber gets it; attempts are counted under a dead letter policy."""
    shown: Resource = {"ackId": handed.ack_id, "message": handed.message.shown()}
    if counted:
        shown["deliveryAttempt"] = handed.attempt
    return shown


def refuse_pull(resource: Resource) -> None:
    """Refuse to hand out messages of a subscription that cannot be pulled from."""
    if resource.get("detached"):
        raise precondition("The subscription is detached from its topic.")
    if resource["pushConfig"].get("pushEndpoint"):
        raise precondition("This method is not supported for this subscription type.")


def _wait(broker: Broker, name: str, most: int, longest: float) -> list[Handed]:
    """Take what is there, or wait for it on the caller's thread; the lock is free meanwhile."""
    arrived = threading.Event()
    until = time.monotonic() + longest
    broker.listen(name, arrived.set)
    try:
        while True:
            arrived.clear()
            handed = broker.take(name, most)
            left = until - time.monotonic()
            if handed or left <= 0:
                return handed
            arrived.wait(left)
    finally:
        broker.leave(name, arrived.set)


def _ack_ids(call: Call) -> tuple[Broker, str, list[str]]:
    ack_ids = call.body.get("ackIds", [])
    if not ack_ids:
        raise invalid("You have not specified an ack ID in the request.")
    for ack_id in ack_ids:
        if not _ACK_ID.fullmatch(ack_id):
            raise invalid(f"You have passed an invalid ack ID to the service (ack_id={ack_id}).")
    broker = broker_of(call.cloud)
    name = by_id(call, "subscription")
    broker.subscription(name)
    return broker, name, ack_ids


def _refuse_stale(broker: Broker, name: str, unknown: list[str]) -> None:
    """Say which identifiers were too late: only exactly-once delivery promises to tell."""
    resource = broker.subscription(name).resource
    if unknown and resource.get("enableExactlyOnceDelivery"):
        causes = dict.fromkeys(unknown, "PERMANENT_FAILURE_INVALID_ACK_ID")
        raise ApiError(
            400,
            "Some acknowledgement ids in the request were invalid. This could be because the "
            "acknowledgement ids have expired or the acknowledgement ids were malformed.",
            status="INVALID_ARGUMENT",
            details=[error_info("EXACTLY_ONCE_ACKID_FAILURE", **causes)],
        )


def _change(call: Call, broker: Broker, before: Resource, changed: Resource) -> Resource:
    resource = {"name": before["name"], **rules.subscription(changed)}
    if before.get("detached"):
        resource["detached"] = True
    if resource["pushConfig"] != before["pushConfig"]:
        _check_push(call, resource)
    _check_grave(broker, resource)
    broker.change_subscription(resource)
    pushers_of(call.cloud).watch(resource["name"])
    return _shown(broker, resource)


def _check_push(call: Call, resource: Resource) -> None:
    email = resource["pushConfig"].get("oidcToken", {}).get("serviceAccountEmail")
    if email is None:
        return
    if not call.cloud.account_exists(email):
        raise not_found(f"Service account {email} does not exist.")
    account = f"projects/{call.cloud.project}/serviceAccounts/{email}"
    call.require("iam.serviceAccounts.actAs", account, api="iam")


def _check_grave(broker: Broker, resource: Resource) -> None:
    policy = resource.get("deadLetterPolicy")
    if policy:
        broker.topic(policy["deadLetterTopic"])


def _shown(broker: Broker, resource: Resource) -> Resource:
    topic = broker.topics.get(resource["topic"])
    if topic is None or resource["topic"] == DELETED_TOPIC:
        return resource
    kept = topic.resource.get("messageRetentionDuration")
    return {**resource, "topicMessageRetentionDuration": kept} if kept else resource
