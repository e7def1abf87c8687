"""Databases of an instance; the server is asked what there is, so SQL and API see the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin import progress
from localcloud.services.sqladmin.engines import engine
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
    from localcloud.services.sqladmin.engines import Engine

POSTGRES_COLLATIONS = re.compile(r"[a-z]{2,3}_[A-Z]{2}\.UTF-?8|C|POSIX|C\.UTF-?8", re.IGNORECASE)


def insert(call: Call) -> Resource:
    """Create a database; the server's own words in a 400 when it is there already."""
    found = running(call)
    name, own = call.body["name"], engine(found)
    charset, collation = _sorting(call.body, own)
    if not 0 < len(name.encode()) <= own.longest_database:
        raise invalid_request(
            f"database name ({name}) must have 1 to {own.longest_database} bytes."
        )
    connection = found["connectionName"]
    if name in machine(call).databases(connection):
        words = (
            f"Error 1007: Can't create database '{name}'; database exists"
            if own.any_host
            else f'pq: database "{name}" already exists'
        )
        raise invalid_request(f"failed to create database {name}. Detail: {words}")
    key = f"{instance_key(call)}/databases/{name}"

    def work() -> None:
        with server_says(f"create database {name}"):
            machine(call).create_database(connection, name, charset, collation)
        call.store.put(key, {"charset": charset, "collation": collation})

    return progress.begin(call, "CREATE_DATABASE", work)


def get(call: Call) -> Resource:
    """Show a database."""
    found = running(call)
    _existing(call, found)
    return _shown(call, found, call["database"])


def list_databases(call: Call) -> Resource:
    """List the databases of a running instance."""
    found = running(call)
    names = machine(call).databases(found["connectionName"])
    return {"kind": "sql#databasesList", "items": [_shown(call, found, name) for name in names]}


def patch(call: Call) -> Resource:
    """Change how a MySQL database sorts; what a PostgreSQL database is, it stays."""
    found = running(call)
    _existing(call, found)
    own, name, connection = engine(found), call["database"], found["connectionName"]
    shown = _shown(call, found, name)
    for field in ("name",) if own.any_host else ("name", "charset", "collation"):
        if call.body.get(field, shown[field]) != shown[field]:
            raise invalid_request(f"{field} of a {own.product} database cannot be changed.")
    if not own.any_host:
        return progress.begin(call, "UPDATE_DATABASE", lambda: None)
    kept = {} if "collation" in call.body else {"charset": shown["charset"]}
    charset, collation = _sorting({**kept, **call.body}, own)

    def work() -> None:
        with server_says(f"update database {name}"):
            machine(call).alter_database(connection, name, charset, collation)
        call.store.put(
            f"{instance_key(call)}/databases/{name}", {"charset": charset, "collation": collation}
        )

    return progress.begin(call, "UPDATE_DATABASE", work)


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


def _sorting(sent: Resource, own: Engine) -> tuple[str, str]:
    """Return the character set and the collation that are meant, or say what does not fit."""
    charset, collation = sent.get("charset") or "", sent.get("collation") or ""
    if own.any_host:
        # a collation's name begins with its character set
        charset = charset or collation.partition("_")[0] or own.charset
        collation = collation or (own.collation if charset.lower() == own.charset else "")
        # the server knows all the rest, but would only say so when it is too late for a 400
        if collation and charset.lower() not in {collation.partition("_")[0].lower(), "utf8"}:
            raise invalid_request(
                f"COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'"
            )
        return charset, collation
    charset = charset or own.charset
    collation = collation or own.collation
    if charset.upper().replace("-", "") != own.charset:
        raise invalid_request(
            f"Invalid charset ({charset}): {own.product} instances use {own.charset}."
        )
    if not POSTGRES_COLLATIONS.fullmatch(collation):
        raise invalid_request(f"Invalid collation ({collation}).")
    return charset, collation


def _shown(call: Call, found: Resource, name: str) -> Resource:
    key, own = instance_key(call), engine(found)
    charset, collation = (
        machine(call).collations(found["connectionName"]).get(name, (own.charset, own.collation))
    )
    known = call.store.find(f"{key}/databases/{name}") or {}
    return {
        "kind": "sql#database",
        "name": name,
        "charset": known.get("charset") or charset,
        "collation": known.get("collation") or collation,
        "instance": call["instance"],
        "project": key.split("/")[1],
        "selfLink": f"{ROOT}/{key}/databases/{name}",
    }
