"""Pub/Sub as a table: which method is answered by what, and which permission it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.documents.protos import Protos
from localcloud.iam import iam_methods
from localcloud.service import Call, Needs, Service
from localcloud.services.pubsub import (
    brokers,
    schemas,
    snapshots,
    streams,
    subscriptions,
    topics,
)
from localcloud.services.pubsub.brokers import broker_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[Call], Any]


_NAMED_BY = ("name", "topic", "subscription", "snapshot", "resource", "project", "parent")


def _resource(call: Call) -> str:
    """Name what a call is about: whatever its path names, or the resource it sends."""
    for parameter in _NAMED_BY:
        if call.get(parameter):
            # A revision of a schema is its schema's.
            return call.cloud.by_id(str(call[parameter])).partition("@")[0]
    for field in ("topic", "subscription", "snapshot"):
        inner = call.body.get(field)
        if isinstance(inner, dict) and inner.get("name"):
            return call.cloud.by_id(str(inner["name"]))
    return f"projects/{call.cloud.project}"


def _project(call: Call) -> str:
    return "/".join(_resource(call).split("/")[:2])


def _needs(permission: str) -> Needs:
    return Needs(permission, resource=_project)


_HANDLERS: dict[str, tuple[Answer, str | Needs]] = {
    "pubsub.projects.topics.create": (topics.create, _needs("pubsub.topics.create")),
    "pubsub.projects.topics.get": (topics.get, "pubsub.topics.get"),
    "pubsub.projects.topics.list": (topics.list_all, "pubsub.topics.list"),
    "pubsub.projects.topics.patch": (topics.patch, "pubsub.topics.update"),
    "pubsub.projects.topics.delete": (topics.delete, "pubsub.topics.delete"),
    "pubsub.projects.topics.publish": (topics.publish, "pubsub.topics.publish"),
    "pubsub.projects.topics.subscriptions.list": (topics.list_subscriptions, "pubsub.topics.get"),
    "pubsub.projects.topics.snapshots.list": (topics.list_snapshots, "pubsub.topics.get"),
    "pubsub.projects.subscriptions.create": (
        subscriptions.create,
        _needs("pubsub.subscriptions.create"),
    ),
    "pubsub.projects.subscriptions.get": (subscriptions.get, "pubsub.subscriptions.get"),
    "pubsub.projects.subscriptions.list": (subscriptions.list_all, "pubsub.subscriptions.list"),
    "pubsub.projects.subscriptions.patch": (subscriptions.patch, "pubsub.subscriptions.update"),
    "pubsub.projects.subscriptions.modifyPushConfig": (
        subscriptions.modify_push,
        "pubsub.subscriptions.update",
    ),
    "pubsub.projects.subscriptions.delete": (subscriptions.delete, "pubsub.subscriptions.delete"),
    "pubsub.projects.subscriptions.detach": (
        subscriptions.detach,
        "pubsub.topics.detachSubscription",
    ),
    "pubsub.projects.subscriptions.pull": (subscriptions.pull, "pubsub.subscriptions.consume"),
    "pubsub.projects.subscriptions.acknowledge": (
        subscriptions.acknowledge,
        "pubsub.subscriptions.consume",
    ),
    "pubsub.projects.subscriptions.modifyAckDeadline": (
        subscriptions.modify_deadline,
        "pubsub.subscriptions.consume",
    ),
    "pubsub.projects.subscriptions.seek": (snapshots.seek, "pubsub.subscriptions.consume"),
    "pubsub.projects.schemas.create": (schemas.create, _needs("pubsub.schemas.create")),
    "pubsub.projects.schemas.get": (schemas.get, "pubsub.schemas.get"),
    "pubsub.projects.schemas.list": (schemas.list_all, "pubsub.schemas.list"),
    "pubsub.projects.schemas.listRevisions": (
        schemas.list_revisions,
        "pubsub.schemas.listRevisions",
    ),
    "pubsub.projects.schemas.commit": (schemas.commit, "pubsub.schemas.commit"),
    "pubsub.projects.schemas.rollback": (schemas.rollback, "pubsub.schemas.rollback"),
    "pubsub.projects.schemas.delete": (schemas.delete, "pubsub.schemas.delete"),
    "pubsub.projects.schemas.deleteRevision": (schemas.delete_revision, "pubsub.schemas.delete"),
    "pubsub.projects.schemas.validate": (schemas.validate, _needs("pubsub.schemas.validate")),
    "pubsub.projects.schemas.validateMessage": (
        schemas.validate_message,
        _needs("pubsub.schemas.validate"),
    ),
    "pubsub.projects.snapshots.create": (snapshots.create, _needs("pubsub.snapshots.create")),
    "pubsub.projects.snapshots.get": (snapshots.get, "pubsub.snapshots.get"),
    "pubsub.projects.snapshots.list": (snapshots.list_all, "pubsub.snapshots.list"),
    "pubsub.projects.snapshots.patch": (snapshots.patch, "pubsub.snapshots.update"),
    "pubsub.projects.snapshots.delete": (snapshots.delete, "pubsub.snapshots.delete"),
}

_EXISTS: dict[str, Answer] = {
    "topics": lambda call: broker_of(call.cloud).topic(call.resource),
    "subscriptions": lambda call: broker_of(call.cloud).subscription(call.resource),
    "snapshots": lambda call: broker_of(call.cloud).snapshot(call.resource),
    "schemas": lambda call: broker_of(call.cloud).shelf.revisions(call.resource),
}

_handlers = {method: handler for method, (handler, _) in _HANDLERS.items()}
_permissions = {method: needs for method, (_, needs) in _HANDLERS.items()}
for _kind, _exists in _EXISTS.items():
    _table, _required = iam_methods(
        f"pubsub.projects.{_kind}", permission=f"pubsub.{_kind}", exists=_exists
    )
    _handlers |= _table
    _permissions |= _required

SERVICE = Service(
    "pubsub",
    "v1",
    _handlers,
    permissions=_permissions,
    resource=_resource,
    protos=Protos("google.pubsub.v1", "google.pubsub_v1"),
    streams=streams.METHODS,
    on_start=brokers.start,
    on_stop=brokers.stop,
)
