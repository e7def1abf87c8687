"""Snapshots and seeks: going back to a moment."""

from __future__ import annotations

from datetime import datetime

from localcloud.clock import rfc3339
from localcloud.errors import invalid, precondition
from localcloud.service import Call, Resource, page
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.brokers import broker_of
from localcloud.services.pubsub.topics import by_id, in_project, named

_KEPT_SECONDS = 7 * 86_400
"""A snapshot lives for a week, less the age of its oldest message."""

_SHORTEST_SECONDS = 3600


def create(call: Call) -> Resource:
    """Keep what a subscription has not acknowledged."""
    broker = broker_of(call.cloud)
    name = rules.check_name(named(call), "snapshots")
    subscription = call.cloud.by_id(call.body.get("subscription", ""))
    call.require("pubsub.subscriptions.consume", subscription)
    with broker.lock:
        source = broker.subscription(subscription)
        oldest = source.queue.oldest
        now = call.cloud.clock.now()
        since = oldest.published if oldest else now
        if since + _KEPT_SECONDS - now < _SHORTEST_SECONDS:
            raise precondition(
                "The snapshot would expire in less than an hour: the subscription's backlog is "
                "too old."
            )
        resource = {
            "name": name,
            "topic": source.resource["topic"],
            "expireTime": rfc3339(since + _KEPT_SECONDS),
            **rules.snapshot({"labels": call.body.get("labels")}),
        }
        broker.add_snapshot(resource, subscription)
    return resource


def get(call: Call) -> Resource:
    """Show a snapshot."""
    return broker_of(call.cloud).snapshot(by_id(call, "snapshot")).resource


def list_all(call: Call) -> Resource:
    """Show a project's snapshots."""
    broker = broker_of(call.cloud)
    broker.drop_expired()
    return page(call, in_project(call, broker.snapshots), "snapshots")


def patch(call: Call) -> Resource:
    """Change the fields of the mask."""
    broker = broker_of(call.cloud)
    with broker.lock:
        before = broker.snapshot(named(call, "snapshot")).resource
        changed = rules.masked(before, call.body, "Snapshot")
        resource = {
            "name": before["name"],
            "topic": before["topic"],
            "expireTime": before["expireTime"],
            **rules.snapshot(changed),
        }
        broker.change_snapshot(resource)
    return resource


def delete(call: Call) -> None:
    """Delete a snapshot."""
    name = by_id(call, "snapshot")
    broker_of(call.cloud).delete_snapshot(name)
    call.cloud.iam.forget(f"//pubsub.googleapis.com/{name}")


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (OverflowError, ValueError) as error:
        raise invalid(f"Invalid seek time: {text}.") from error


def seek(call: Call) -> Resource:
    """Take a subscription back, or forward, to a time or a snapshot."""
    broker = broker_of(call.cloud)
    name = by_id(call, "subscription")
    if "time" in call.body:
        broker.seek_time(name, _moment(call.body["time"]))
    elif "snapshot" in call.body:
        snapshot = call.cloud.by_id(call.body["snapshot"])
        call.require("pubsub.snapshots.seek", snapshot)
        broker.seek_snapshot(name, snapshot)
    else:
        raise invalid("The seek request must specify a target: time or snapshot.")
    return {}
