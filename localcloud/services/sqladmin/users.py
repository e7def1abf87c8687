"""Users of an instance: with a password, or an identity of IAM that needs none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.machines.databases import SUPERUSER_ROLE, Login
from localcloud.services.sqladmin import progress, tiers
from localcloud.services.sqladmin.names import (
    instance_key,
    invalid_request,
    machine,
    running,
    server_says,
    user_key,
)

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

LONGEST = 63
BUILT_IN, IAM_USER, IAM_ACCOUNT = "BUILT_IN", "CLOUD_IAM_USER", "CLOUD_IAM_SERVICE_ACCOUNT"
SUFFIX = ".gserviceaccount.com"
RESERVED = re.compile(r"cloudsql.*|pg_.*")


def login_name(email: str) -> str:
    """Return the name an identity has in PostgreSQL."""
    return email.removesuffix(SUFFIX)


def insert(call: Call) -> Resource:
    """Create a user; one who exists gets the password that was sent."""
    return _set(call, call.body["name"], call.body.get("databaseRoles"), revoke=False)


def update(call: Call) -> Resource:
    """Change a user or create him; roles come from the query, not from the body."""
    name = call.get("name") or call.body.get("name")
    if not name:
        raise invalid_request("the name of the user is required.", "required")
    revoke = bool(call.get("revokeExistingRoles", False))
    return _set(call, name, call.get("databaseRoles"), revoke=revoke)


def get(call: Call) -> Resource:
    """Show a user."""
    running(call)
    return _shown(call, _existing(call, call["name"]))


def list_users(call: Call) -> Resource:
    """List the users the API has made, with the one every instance has."""
    running(call)
    known = call.store.children(f"{instance_key(call)}/users/")
    if not any(one["name"] == "postgres" for one in known):
        known.insert(0, {"name": "postgres", "type": BUILT_IN})
    return {"kind": "sql#usersList", "items": [_shown(call, one) for one in known]}


def delete(call: Call) -> Resource:
    """Drop a user; 400 while anything depends on him."""
    found = running(call)
    name = call.get("name") or ""
    _existing(call, name)
    connection = found["connectionName"]
    with server_says(f"delete user {name}"):
        machine(call).check_drop_user(connection, name)

    def work() -> None:
        with server_says(f"delete user {name}"):
            machine(call).drop_user(connection, name)
        key = user_key(call, name)
        if call.store.find(key) is not None:
            call.store.delete(key)

    return progress.begin(call, "DELETE_USER", work)


def _set(call: Call, name: str, roles: list[str] | None, *, revoke: bool) -> Resource:
    found = running(call)
    known = call.store.find(user_key(call, name)) or {}
    kind: str = call.body.get("type") or known.get("type") or BUILT_IN
    if known and kind != known["type"]:
        raise invalid_request(f"the type of user {name} is {known['type']} and cannot be changed.")
    _check(call, found, name, kind)
    password = call.body.get("password")
    fresh = not known and name != "postgres"
    if roles is None and fresh and kind == BUILT_IN:
        # what Cloud SQL gives a built-in user for whom nobody named roles
        roles = [SUPERUSER_ROLE]
    login = Login(
        name,
        iam=kind != BUILT_IN,
        password=password,
        roles=tuple(roles or ()),
        attributes=fresh and kind == BUILT_IN and SUPERUSER_ROLE in (roles or ()),
    )
    connection = found["connectionName"]

    def work() -> None:
        with server_says(f"create user {name}"):
            machine(call).set_user(connection, login, revoke=revoke)
        call.store.put(user_key(call, name), {"name": name, "type": kind})

    return progress.begin(call, "CREATE_USER" if fresh else "UPDATE_USER", work)


def _check(call: Call, found: Resource, name: str, kind: str) -> None:
    if not name or len(name.encode()) > LONGEST:
        raise invalid_request(f"the user name ({name}) must have 1 to {LONGEST} bytes.")
    if RESERVED.fullmatch(name):
        raise invalid_request(f"the user name ({name}) is reserved.")
    if call.get("host") or call.body.get("host"):
        raise invalid_request("host is only for MySQL users.")
    if kind != BUILT_IN:
        _check_iam(call, found, name, kind)


def _check_iam(call: Call, found: Resource, name: str, kind: str) -> None:
    if kind not in {IAM_USER, IAM_ACCOUNT}:
        raise ApiError(501, f"The local cloud has no database users of type {kind}.")
    if tiers.flag(found["settings"], "cloudsql.iam_authentication") != "on":
        raise invalid_request(
            "IAM users need the database flag cloudsql.iam_authentication to be on."
        )
    if call.body.get("password"):
        raise invalid_request("a password cannot be set for an IAM user.")
    if name.endswith(SUFFIX):
        raise invalid_request(
            "Database username for Cloud IAM service account should be created without "
            f'"{SUFFIX}" suffix.'
        )
    if "@" not in name or (kind == IAM_ACCOUNT and not name.endswith(".iam")):
        raise invalid_request(f"({name}) is not the e-mail address of a {kind}.")
    if kind == IAM_ACCOUNT and not call.cloud.account_exists(name + SUFFIX):
        raise invalid_request(f"the service account {name}{SUFFIX} does not exist.")


def _existing(call: Call, name: str) -> Resource:
    known = call.store.find(user_key(call, name))
    if known is None and name == "postgres":
        return {"name": name, "type": BUILT_IN}
    if known is None:
        raise ApiError(404, "The specified user does not exist.", reason="notFound")
    return known


def _shown(call: Call, known: Resource) -> Resource:
    key = instance_key(call)
    connection = running(call)["connectionName"]
    shown: Resource = {
        "kind": "sql#user",
        "name": known["name"],
        "type": known["type"],
        "host": "",
        "instance": call["instance"],
        "project": key.split("/")[1],
        "databaseRoles": machine(call).memberships(connection, known["name"]),
    }
    if known["type"] != BUILT_IN:
        shown["iamStatus"] = "ACTIVE"
    return shown
