"""Databases of an instance; the server is asked what there is, so SQL and API see the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin import progress
from localcloud.services.sqladmin.names import (
    ROOT,
    instance_key,
    invalid_request,
    machine,
    running,
    server_says,
)

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

CHARSET, COLLATION = "UTF8", "en_US.UTF8"
COLLATIONS = re.compile(r"[a-z]{2,3}_[A-Z]{2}\.UTF-?8|C|POSIX|C\.UTF-?8", re.IGNORECASE)
LONGEST = 63


def insert(call: Call) -> Resource:
    """Create a database; PostgreSQL's own 400 when it is there already."""
    found = running(call)
    name = call.body["name"]
    charset = call.body.get("charset", CHARSET)
    collation = call.body.get("collation", COLLATION)
    if len(name.encode()) > LONGEST:
        raise invalid_request(f"database name ({name}) is longer than {LONGEST} bytes.")
    if charset.upper().replace("-", "") != CHARSET:
        raise invalid_request(f"Invalid charset ({charset}): PostgreSQL instances use {CHARSET}.")
    if not COLLATIONS.fullmatch(collation):
        raise invalid_request(f"Invalid collation ({collation}).")
    connection = found["connectionName"]
    if name in machine(call).databases(connection):
        raise invalid_request(
            f'failed to create database {name}. Detail: pq: database "{name}" already exists'
        )
    key = f"{instance_key(call)}/databases/{name}"

    def work() -> None:
        with server_says(f"create database {name}"):
            machine(call).create_database(connection, name)
        call.store.put(key, {"charset": charset, "collation": collation})

    return progress.begin(call, "CREATE_DATABASE", work)


def get(call: Call) -> Resource:
    """Show a database."""
    found = running(call)
    _existing(call, found)
    return _shown(call, call["database"])


def list_databases(call: Call) -> Resource:
    """List the databases of a running instance."""
    found = running(call)
    names = machine(call).databases(found["connectionName"])
    return {"kind": "sql#databasesList", "items": [_shown(call, name) for name in names]}


def patch(call: Call) -> Resource:
    """Change nothing: what a PostgreSQL database is, it stays."""
    found = running(call)
    _existing(call, found)
    shown = _shown(call, call["database"])
    for field in ("name", "charset", "collation"):
        if call.body.get(field, shown[field]) != shown[field]:
            raise invalid_request(f"{field} of a PostgreSQL database cannot be changed.")
    return progress.begin(call, "UPDATE_DATABASE", lambda: None)


def delete(call: Call) -> Resource:
    """Drop a database that nobody uses."""
    found = running(call)
    _existing(call, found)
    name, connection = call["database"], found["connectionName"]
    with server_says(f'delete database "{name}"'):
        machine(call).check_drop_database(connection, name)
    key = f"{instance_key(call)}/databases/{name}"

    def work() -> None:
        with server_says(f'delete database "{name}"'):
            machine(call).drop_database(connection, name)
        if call.store.find(key) is not None:
            call.store.delete(key)

    return progress.begin(call, "DELETE_DATABASE", work)


def _existing(call: Call, found: Resource) -> None:
    if call["database"] not in machine(call).databases(found["connectionName"]):
        raise ApiError(404, "Not Found", reason="notFound")


def _shown(call: Call, name: str) -> Resource:
    key = instance_key(call)
    known = call.store.find(f"{key}/databases/{name}") or {}
    return {
        "kind": "sql#database",
        "name": name,
        "charset": known.get("charset", CHARSET),
        "collation": known.get("collation", COLLATION),
        "instance": call["instance"],
        "project": key.split("/")[1],
        "selfLink": f"{ROOT}/{key}/databases/{name}",
    }
