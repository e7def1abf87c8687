"""Topics: made, shown, changed, deleted, and published to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.service import Call, Resource, page
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.brokers import broker_of
from localcloud.services.pubsub.messages import Draft
from localcloud.services.pubsub.schemas import check_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.services.pubsub.broker import Snapshot, Topic
    from localcloud.services.pubsub.subscription import Subscription


def create(call: Call) -> Resource:
    """Make a topic."""
    resource = {"name": rules.check_name(named(call), "topics"), **rules.topic(call.body)}
    check_settings(call, resource)
    broker_of(call.cloud).add_topic(resource)
    return resource


def get(call: Call) -> Resource:
    """Show a topic."""
    return broker_of(call.cloud).topic(by_id(call, "topic")).resource


def list_all(call: Call) -> Resource:
    """Show a project's topics."""
    return page(call, in_project(call, broker_of(call.cloud).topics), "topics")


def patch(call: Call) -> Resource:
    """Change the fields of the mask."""
    broker = broker_of(call.cloud)
    with broker.lock:
        before = broker.topic(named(call, "topic")).resource
        changed = rules.masked(before, call.body, "Topic")
        resource = {"name": before["name"], **rules.topic(changed)}
        check_settings(call, resource)
        broker.change_topic(resource)
    return resource


def delete(call: Call) -> None:
    """Delete a topic; its subscriptions stay."""
    name = by_id(call, "topic")
    broker_of(call.cloud).delete_topic(name)
    call.cloud.iam.forget(f"//pubsub.googleapis.com/{name}")


def publish(call: Call) -> Resource:
    """Publish messages, all or none."""
    drafts = [
        Draft(
            call.bytes_field(message.get("data", "")),
            message.get("attributes", {}),
            message.get("orderingKey", ""),
        )
        for message in call.body.get("messages", [])
    ]
    return {"messageIds": broker_of(call.cloud).publish(by_id(call, "topic"), drafts)}


def list_subscriptions(call: Call) -> Resource:
    """Name the subscriptions of a topic."""
    broker = broker_of(call.cloud)
    name = broker.topic(by_id(call, "topic")).resource["name"]
    with broker.lock:
        names: list[Any] = sorted(s.name for s in broker.subscriptions_of(name))
    return page(call, names, "subscriptions")


def list_snapshots(call: Call) -> Resource:
    """Name the snapshots of a topic."""
    broker = broker_of(call.cloud)
    name = broker.topic(by_id(call, "topic")).resource["name"]
    with broker.lock:
        names: list[Any] = sorted(s.resource["name"] for s in broker.snapshots_of(name))
    return page(call, names, "snapshots")


def by_id(call: Call, parameter: str) -> str:
    """Return a parameter that names a resource, with the project's ID in it."""
    return call.cloud.by_id(str(call.get(parameter, "")))


def named(call: Call, field: str | None = None) -> str:
    """Return the name a call gives: in its path, or over gRPC inside the resource it sends."""
    inner = call.body.get(field, {}) if field else call.body
    return call.cloud.by_id(str(call.get("name") or inner.get("name") or ""))


def in_project(call: Call, table: Mapping[str, Topic | Subscription | Snapshot]) -> list[Resource]:
    """Return the resources of the call's project in the order of their names."""
    prefix = call.cloud.by_id(call["project"]) + "/"
    with broker_of(call.cloud).lock:
        found = sorted(table.items())
    return [thing.resource for name, thing in found if name.startswith(prefix)]
