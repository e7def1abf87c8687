"""The schema service: made, shown, revised, deleted, and asked about messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.service import Call, Resource, page
from localcloud.services.pubsub import avro, rules, shelf
from localcloud.services.pubsub.brokers import broker_of

if TYPE_CHECKING:
    from localcloud.services.pubsub.shelf import Shelf

_ENCODINGS = {"JSON", "BINARY"}


def create(call: Call) -> Resource:
    """Make a schema."""
    project = call.cloud.by_id(call["parent"])
    name = rules.check_name(f"{project}/schemas/{call.get('schemaId', '')}", "schemas")
    with broker_of(call.cloud).lock:
        return _shelf(call).add(name, call.body)


def get(call: Call) -> Resource:
    """Show a revision."""
    return _shown(call, _shelf(call).revision(_named(call)), usual="FULL")


def list_all(call: Call) -> Resource:
    """Show the newest revision of each of a project's schemas."""
    prefix = call.cloud.by_id(call["parent"]) + "/"
    names = [name for name in _shelf(call).names() if name.startswith(prefix)]
    return page(call, [_shown(call, _shelf(call).revision(name)) for name in names], "schemas")


def list_revisions(call: Call) -> Resource:
    """Show all revisions of a schema, newest first."""
    revisions = reversed(_shelf(call).revisions(_named(call)))
    return page(call, [_shown(call, one) for one in revisions], "schemas")


def commit(call: Call) -> Resource:
    """Add a revision."""
    with broker_of(call.cloud).lock:
        return _shelf(call).commit(_named(call), call.body.get("schema", {}))


def rollback(call: Call) -> Resource:
    """Go back to an earlier revision, which becomes a new one."""
    with broker_of(call.cloud).lock:
        return _shelf(call).roll_back(_named(call), call.body.get("revisionId", ""))


def delete_revision(call: Call) -> Resource:
    """Delete one revision."""
    name = _named(call)
    if "@" not in name:
        name = f"{name}@{call.get('revisionId', '')}"
    if name.endswith("@"):
        raise invalid("The name must be that of a revision, as in projects/p/schemas/s@revision.")
    with broker_of(call.cloud).lock:
        return _shelf(call).drop_revision(name)


def delete(call: Call) -> None:
    """Delete a schema; its topics stay and take nothing any more."""
    name = _named(call)
    broker = broker_of(call.cloud)
    with broker.lock:
        _shelf(call).drop(name)
        for topic in list(broker.topics.values()):
            settings = topic.resource.get("schemaSettings", {})
            if settings.get("schema") == name:
                settings = {**settings, "schema": shelf.DELETED_SCHEMA}
                broker.change_topic({**topic.resource, "schemaSettings": settings})
    call.cloud.iam.forget(f"//pubsub.googleapis.com/{name}")


def validate(call: Call) -> Resource:
    """Say whether a schema is one, by not refusing it."""
    shelf.check(call.body.get("schema", {}))
    return {}


def validate_message(call: Call) -> Resource:
    """Say whether a message is what a schema says, by not refusing it."""
    body = call.body
    schema = body.get("schema")
    if schema is None:
        schema = _shelf(call).revision(call.cloud.by_id(body.get("name", "")))
    if body.get("encoding") not in _ENCODINGS:
        raise invalid("The encoding must be JSON or BINARY.")
    data = call.bytes_field(body.get("message", ""))
    if not avro.fits(shelf.check(schema), data, body["encoding"]):
        raise invalid("Invalid data in message: Message failed schema validation.")
    return {}


def check_settings(call: Call, topic: Resource) -> None:
    """Refuse a topic's schema settings that cannot be, or that the caller may not use."""
    settings = topic.get("schemaSettings")
    if settings is None:
        return
    name = settings["schema"] = call.cloud.by_id(settings.get("schema", ""))
    if name == shelf.DELETED_SCHEMA:
        return
    rules.check_name(name, "schemas", "schema")
    if settings.get("encoding") not in _ENCODINGS:
        raise invalid("The encoding of a topic's schema must be JSON or BINARY.")
    call.require("pubsub.schemas.attach", name)
    for bound in ("firstRevisionId", "lastRevisionId"):
        _shelf(call).revision(f"{name}@{settings.get(bound, '')}".rstrip("@"))


def _shelf(call: Call) -> Shelf:
    return broker_of(call.cloud).shelf


def _named(call: Call) -> str:
    return call.cloud.by_id(call["name"])


def _shown(call: Call, revision: Resource, usual: str = "BASIC") -> dict[str, Any]:
    view = call.get("view") or usual
    if view == "SCHEMA_VIEW_UNSPECIFIED":
        view = usual
    hidden = () if view == "FULL" else ("definition",)
    return {key: value for key, value in revision.items() if key not in hidden}
