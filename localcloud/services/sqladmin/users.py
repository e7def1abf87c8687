"""Users of an instance: with a password, or an identity of IAM that needs none.

The server is asked who there is, so users made by SQL are seen here, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.machines.databases.contract import SUPERUSER_ROLE, Login
from localcloud.services.sqladmin import flags, passwords, progress
from localcloud.services.sqladmin.engines import ACCOUNT_SUFFIX, engine
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
    from localcloud.services.sqladmin.engines import Engine

BUILT_IN, IAM_USER, IAM_ACCOUNT = "BUILT_IN", "CLOUD_IAM_USER", "CLOUD_IAM_SERVICE_ACCOUNT"


def insert(call: Call) -> Resource:
    """Create a user; one who exists gets the password that was sent."""
    roles = call.body.get("databaseRoles")
    return _set(call, call.body["name"], call.body.get("host"), roles, revoke=False)


def update(call: Call) -> Resource:
    """Change a user or create him; roles come from the query, not from the body."""
    name = call.get("name") or call.body.get("name")
    if not name:
        raise invalid_request("the name of the user is required.", "required")
    host = call.get("host") or call.body.get("host")
    revoke = bool(call.get("revokeExistingRoles", False))
    return _set(call, name, host, call.get("databaseRoles"), revoke=revoke)


def get(call: Call) -> Resource:
    """Show a user."""
    found = running(call)
    return _shown(call, found, _existing(call, found, call["name"]))


def list_users(call: Call) -> Resource:
    """List everybody who may log in."""
    found = running(call)
    there = machine(call).users(found["connectionName"])
    items = [_shown(call, found, _known(call, name, host)) for name, host in there]
    return {"kind": "sql#usersList", "items": items}


def delete(call: Call) -> Resource:
    """Drop a user; 400 while anything depends on him."""
    found = running(call)
    known = _existing(call, found, call.get("name") or "")
    name, host, connection = known["name"], known["host"], found["connectionName"]
    with server_says(f"delete user {name}"):
        machine(call).check_drop_user(connection, name, host)

    def work() -> None:
        with server_says(f"delete user {name}"):
            machine(call).drop_user(connection, name, host)
        key = user_key(call, name, host)
        if call.store.find(key) is not None:
            call.store.delete(key)

    return progress.begin(call, "DELETE_USER", work)


def _set(
    call: Call, name: str, host: str | None, roles: list[str] | None, *, revoke: bool
) -> Resource:
    found = running(call)
    own, connection = engine(found), found["connectionName"]
    at = own.host(host)
    stored = call.store.find(user_key(call, own.login_name(name), at)) or {}
    kind: str = call.body.get("type") or stored.get("type") or BUILT_IN
    passwords.check_user(call.body)
    _check(call, own, name, host)
    passwords.check(found, name, call.body.get("password"))
    if kind != BUILT_IN:
        _check_iam(call, found, name, kind)
    login_name = name if kind == BUILT_IN else own.login_name(name)
    fresh = (login_name, at) not in machine(call).users(connection)
    known = _known(call, login_name, at)
    if not fresh and kind != known["type"]:
        raise invalid_request(f"the type of user {name} is {known['type']} and cannot be changed.")
    if roles is None and fresh and kind == BUILT_IN:
        # what Cloud SQL gives a built-in user for whom nobody named roles
        roles = [SUPERUSER_ROLE]
    login = Login(
        login_name,
        host=at,
        iam=kind != BUILT_IN,
        password=call.body.get("password"),
        roles=tuple(roles or ()),
        attributes=fresh and kind == BUILT_IN and SUPERUSER_ROLE in (roles or ()),
    )
    row: Resource = {"name": login_name, "host": at, "type": kind}
    if kind != BUILT_IN and own.any_host:
        row["iamEmail"] = stored.get("iamEmail", name)

    def work() -> None:
        with server_says(f"create user {login_name}"):
            machine(call).set_user(connection, login, revoke=revoke)
        call.store.put(user_key(call, login_name, at), row)

    return progress.begin(call, "CREATE_USER" if fresh else "UPDATE_USER", work)


def _check(call: Call, own: Engine, name: str, host: str | None) -> None:
    if host and not own.any_host:
        raise invalid_request("host is only for MySQL users.")
    if call.body.get("type", BUILT_IN) != BUILT_IN:
        return
    if not name or len(name.encode()) > own.longest_user:
        raise invalid_request(f"the user name ({name}) must have 1 to {own.longest_user} bytes.")
    if own.reserved.fullmatch(name):
        raise invalid_request(f"the user name ({name}) is reserved.")


def _check_iam(call: Call, found: Resource, name: str, kind: str) -> None:
    own = engine(found)
    if kind not in {IAM_USER, IAM_ACCOUNT}:
        raise ApiError(501, f"The local cloud has no database users of type {kind}.")
    if flags.value(found["settings"], own.iam_flag) != "on":
        raise invalid_request(f"IAM users need the database flag {own.iam_flag} to be on.")
    if call.body.get("password"):
        raise invalid_request("a password cannot be set for an IAM user.")
    if own.any_host:
        _check_mysql_iam(call, own, name, kind)
        return
    if name.endswith(ACCOUNT_SUFFIX):
        raise invalid_request(
            "Database username for Cloud IAM service account should be created without "
            f'"{ACCOUNT_SUFFIX}" suffix.'
        )
    if "@" not in name or (kind == IAM_ACCOUNT and not name.endswith(".iam")):
        raise invalid_request(f"({name}) is not the e-mail address of a {kind}.")
    if kind == IAM_ACCOUNT:
        _check_account(call, name + ACCOUNT_SUFFIX)


def _check_mysql_iam(call: Call, own: Engine, name: str, kind: str) -> None:
    """Check the whole e-mail address that MySQL is given; its user is the part before the @."""
    stored = call.store.find(user_key(call, own.login_name(name), own.any_host)) or {}
    email = stored.get("iamEmail", name) if "@" not in name else name
    if "@" not in email or (kind == IAM_ACCOUNT and not email.endswith(ACCOUNT_SUFFIX)):
        raise invalid_request(f"({name}) is not the e-mail address of a {kind}.")
    if stored.get("iamEmail", email) != email:
        raise invalid_request(f"the user name ({own.login_name(email)}) is taken.")
    if len(own.login_name(email)) > own.longest_user:
        raise invalid_request(f"the user name ({name}) must have 1 to {own.longest_user} bytes.")
    if kind == IAM_ACCOUNT:
        _check_account(call, email)


def _check_account(call: Call, email: str) -> None:
    if not call.cloud.account_exists(email):
        raise invalid_request(f"the service account {email} does not exist.")


def _known(call: Call, name: str, host: str) -> Resource:
    """Return what the API knows of a user; one it did not make has a password."""
    row = {"name": name, "host": host, "type": BUILT_IN}
    return {**row, **(call.store.find(user_key(call, name, host)) or {})}


def _existing(call: Call, found: Resource, name: str) -> Resource:
    own = engine(found)
    there = machine(call).users(found["connectionName"])
    host = own.host(call.get("host"))
    for candidate in dict.fromkeys((name, own.login_name(name))):
        known = _known(call, candidate, host)
        if (candidate, host) in there and (
            candidate == name or known.get("iamEmail", f"{name}") == name
        ):
            return known
    raise ApiError(404, "The specified user does not exist.", reason="notFound")


def _shown(call: Call, found: Resource, known: Resource) -> Resource:
    roles = machine(call).memberships(found["connectionName"], known["name"], known["host"])
    shown: Resource = {
        "kind": "sql#user",
        **known,
        "instance": call["instance"],
        "project": instance_key(call).split("/")[1],
        "databaseRoles": roles,
    }
    if known["type"] != BUILT_IN:
        shown["iamStatus"] = "ACTIVE"
    return shown
