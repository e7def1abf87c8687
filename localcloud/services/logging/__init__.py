"""Cloud Logging: entries written by callers and by the other fakes, listed with filters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from localcloud.documents.protos import Protos
from localcloud.errors import invalid, not_found
from localcloud.service import Call, Needs, Resource, Service, page
from localcloud.services.logging import tail
from localcloud.services.logging.query import query

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Store

__all__ = ["SERVICE", "entries", "write_entry"]

_MOST_KEPT = 20_000
_TRIM_EVERY = 500
_PAYLOADS = ("textPayload", "jsonPayload", "protoPayload")


def write_entry(cloud: Cloud, entry: Resource) -> None:
    """Store one entry on behalf of a fake; no identity is checked."""
    entry.setdefault("logName", f"projects/{cloud.project}/logs/localcloud")
    entry.setdefault("resource", {"type": "global", "labels": {"project_id": cloud.project}})
    _store_entry(cloud, entry)


def entries(store: Store) -> list[Resource]:
    """Give every entry, oldest first."""
    found = store.of("logging").children("entries/")
    return sorted(found, key=lambda entry: str(entry["timestamp"]))


def write(call: Call) -> Resource:
    """Take a batch of entries; what they leave out comes from the request."""
    body = call.body
    for sent in body.get("entries", []):
        entry = dict(sent)
        entry.setdefault("logName", body.get("logName", ""))
        entry.setdefault("resource", body.get("resource", {"type": "global"}))
        entry["labels"] = {**body.get("labels", {}), **entry.get("labels", {})}
        if not entry["labels"]:
            del entry["labels"]
        _check(call, entry)
        if not body.get("dryRun"):
            _store_entry(call.cloud, entry)
    return {}


def list_entries(call: Call) -> Resource:
    """List entries that match, oldest first unless asked otherwise."""
    names = [call.cloud.by_id(name) for name in call.body.get("resourceNames", [])]
    for name in names:
        tail.check_resource(name)
        call.require("logging.logEntries.list", name)
    order = (call.body.get("orderBy") or "timestamp asc").split()
    if order[:1] != ["timestamp"] or order[1:] not in ([], ["asc"], ["desc"]):
        raise invalid("order_by must be 'timestamp asc' or 'timestamp desc'.")
    projects = {f"projects/{call.cloud.project}", f"projects/{call.cloud.number}"}
    mine = any("/".join(name.split("/")[:2]) in projects for name in names)
    found = _deduplicated(entries(call.cloud.store)) if mine else []
    matches = query(call.body.get("filter"))
    kept = [entry for entry in found if matches(entry)]
    if order[1:] == ["desc"]:
        kept.reverse()
    call.params["pageSize"] = call.body.get("pageSize")
    call.params["pageToken"] = call.body.get("pageToken")
    return page(call, kept, "entries", default=50)


def list_logs(call: Call) -> Resource:
    """List the names of logs that have entries."""
    parent = call.cloud.by_id(call["parent"])
    names = {str(entry["logName"]) for entry in entries(call.cloud.store)}
    mine = sorted(name for name in names if name.startswith(parent + "/"))
    start = page(call, [{"name": name} for name in mine], "logNames")
    return {**start, "logNames": [item["name"] for item in start.get("logNames", [])]}


def delete_log(call: Call) -> None:
    """Delete all entries of a log; 404 when it has none."""
    name = call.cloud.by_id(call["logName"])
    store = call.cloud.store
    found = [
        key
        for key, entry in store.of("logging").under("entries/")
        if unquote(str(entry["logName"])) == unquote(name)
    ]
    if not found:
        raise not_found(f"Log {name.rpartition('/')[2]} does not exist")
    for key in found:
        store.of("logging").delete(key)


def _check(call: Call, entry: Resource) -> None:
    name = unquote(entry["logName"])
    project, found, log_id = name.partition("/logs/")
    if not found or not log_id or call.cloud.by_id(project) != f"projects/{call.cloud.project}":
        raise invalid(f"Log name {entry['logName']!r} is not projects/[PROJECT_ID]/logs/[LOG_ID].")
    entry["logName"] = call.cloud.by_id(entry["logName"])
    if sum(payload in entry for payload in _PAYLOADS) > 1:
        raise invalid("An entry has at most one of textPayload, jsonPayload, protoPayload.")


def _store_entry(cloud: Cloud, entry: Resource) -> None:
    collection = cloud.store.of("logging")
    now = cloud.clock.rfc3339()
    number = collection.next_number("entry")
    stored: dict[str, Any] = {
        **entry,
        "timestamp": entry.get("timestamp", now),
        "receiveTimestamp": now,
        "severity": entry.get("severity", "DEFAULT"),
        "insertId": entry.get("insertId", f"{number:016x}"),
    }
    collection.put(f"entries/{number:012d}", stored)
    tail.announce(cloud, stored)
    _trim(cloud.store, number)


def _trim(store: Store, newest: int) -> None:
    """Forget the oldest entries now and then: a daemon may run for weeks."""
    if newest % _TRIM_EVERY == 0 and newest > _MOST_KEPT:
        store.write(
            "delete from resources where api = 'logging' and name < ?",
            f"entries/{newest - _MOST_KEPT:012d}",
        )


def _deduplicated(found: list[Resource]) -> list[Resource]:
    """Drop repeats: same log, timestamp and insertId is the same entry."""
    seen: dict[str, Resource] = {}
    for entry in found:
        key = json.dumps([entry["logName"], entry["timestamp"], entry["insertId"]])
        seen.setdefault(key, entry)
    return list(seen.values())


def _project(call: Call) -> str:
    return f"projects/{call.cloud.project}"


SERVICE = Service(
    "logging",
    "v2",
    {
        "logging.entries.write": write,
        "logging.entries.list": list_entries,
        "logging.projects.logs.list": list_logs,
        "logging.projects.logs.delete": delete_log,
    },
    protos=Protos(
        "google.logging.v2",
        "google.cloud.logging_v2",
        {
            "WriteLogEntries": "logging.entries.write",
            "ListLogEntries": "logging.entries.list",
            "ListLogs": "logging.projects.logs.list",
            "DeleteLog": "logging.projects.logs.delete",
        },
    ),
    permissions={
        "logging.entries.write": Needs("logging.logEntries.create", resource=_project),
        # entries.list is checked for each of the resources it names
        "logging.entries.list": Needs(),
        "logging.projects.logs.list": "logging.logs.list",
        "logging.projects.logs.delete": "logging.logs.delete",
    },
    required={"logging.entries.write": ("entries",), "logging.entries.list": ("resourceNames",)},
    resource=_project,
    streams=tail.METHODS,
)
