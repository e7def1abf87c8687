"""Service accounts: the identities programs have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import already_exists, by_status, denied, invalid, not_found
from localcloud.iam import full_name, iam_methods
from localcloud.identity.principals import subject
from localcloud.merge import merged
from localcloud.service import Call, Needs, Resource, page

if TYPE_CHECKING:
    from collections.abc import Callable

_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_CHANGEABLE = frozenset({"displayName", "description"})


def iam_resource(call: Call) -> str:
    """Find what a call is about; a key's account, and an account by its number too."""
    name = call.cloud.by_id(str(call.get("name") or call.get("resource") or call.get("parent")))
    head, found, rest = name.partition("/serviceAccounts/")
    identifier = rest.partition("/keys")[0]
    name = f"{head}{found}{identifier}"
    if found and identifier.isdigit():
        for account in call.store.children(f"{head}/serviceAccounts/"):
            if account["uniqueId"] == identifier:
                return str(account["name"])
    return name


def create(call: Call) -> Resource:
    """Make an account."""
    account_id = call.body["accountId"]
    if not _ID.fullmatch(account_id):
        raise invalid(
            f"The account ID {account_id!r} does not have a length between 6 and 30, or does not "
            "match [a-z]([-a-z0-9]*[a-z0-9])."
        )
    project = call.cloud.project
    email = f"{account_id}@{project}.iam.gserviceaccount.com"
    name = f"projects/{project}/serviceAccounts/{email}"
    with call.store.lock():
        if call.store.find(name) is not None:
            raise already_exists(
                f"Service account {account_id} already exists within project projects/{project}."
            )
        most = call.cloud.quotas["iam.serviceAccounts"]
        if call.store.count(f"projects/{project}/serviceAccounts/") >= most:
            raise by_status(
                "RESOURCE_EXHAUSTED", "Maximum number of service accounts on project reached."
            )
        unique = subject(f"{email}#{call.store.next_number('account')}")
        account: Resource = {
            "name": name,
            "projectId": project,
            "uniqueId": unique,
            "email": email,
            "oauth2ClientId": unique,
            "etag": _etag(call),
        }
        for field in _CHANGEABLE:
            if call.body.get("serviceAccount", {}).get(field):
                account[field] = call.body["serviceAccount"][field]
        return call.store.create(name, account)


def get(call: Call) -> Resource:
    """Show an account."""
    return _account(call)


def list_accounts(call: Call) -> Resource:
    """List the project's accounts."""
    found = call.store.children(f"projects/{call.cloud.project}/serviceAccounts/")
    return page(call, found, "accounts", default=20, most=100)


def patch(call: Call) -> Resource:
    """Change the fields of a mask."""
    mask = [part for part in call.body.get("updateMask", "").split(",") if part]
    fields = {"display_name": "displayName"}
    mask = [fields.get(part, part) for part in mask]
    if not mask or not set(mask) <= _CHANGEABLE:
        raise invalid("The update mask must name displayName or description.")
    return _change(call, lambda found: merged(found, call.body.get("serviceAccount", {}), mask))


def update(call: Call) -> Resource:
    """Replace what may change."""
    return _change(call, lambda found: merged(found, call.body, sorted(_CHANGEABLE)))


def disable(call: Call) -> None:
    """Make an account's tokens worthless."""
    _change(call, lambda found: {**found, "disabled": True})


def enable(call: Call) -> None:
    """Undo disable."""
    _change(call, lambda found: {k: v for k, v in found.items() if k != "disabled"})


def delete(call: Call) -> None:
    """Remove an account; its bindings stay behind, marked deleted and without effect."""
    account = _account(call)
    with call.store.lock():
        call.store.delete(account["name"])
        call.store.put(_grave(call, account["uniqueId"]), account)
        call.cloud.iam.forget(full_name(call))
        call.cloud.iam.forget_account(account["email"], account["uniqueId"])


def undelete(call: Call) -> Resource:
    """Bring a deleted account back, named by its number."""
    unique = str(call["name"]).rpartition("/")[2]
    with call.store.lock():
        account = call.store.find(_grave(call, unique))
        if account is None:
            raise not_found(f"Service account {unique} was not deleted in the last 30 days.")
        if call.store.find(account["name"]) is not None:
            raise already_exists(f"Service account {account['email']} already exists.")
        call.store.delete(_grave(call, unique))
        call.cloud.iam.restore_account(account["email"], unique)
        return {"restoredAccount": call.store.create(account["name"], account)}


def _account(call: Call) -> Resource:
    name = iam_resource(call)
    found = call.store.find(name)
    if found is not None:
        return found
    email = name.rpartition("/")[2]
    if "/-/" in str(call.get("name") or call.get("resource")):
        # with the wildcard Google cannot tell a missing account from a forbidden one
        raise denied(
            "Permission 'iam.serviceAccounts.get' denied on resource (or it may not exist)."
        )
    raise not_found(f"Unknown service account: {email}" if "@" in email else f"Not found: {name}")


def _change(call: Call, change: Callable[[Resource], Resource]) -> Resource:
    name = _account(call)["name"]
    return call.store.update(name, lambda found: {**change(found), "etag": _etag(call)})


def _grave(call: Call, unique: str) -> str:
    return f"projects/{call.cloud.project}/deletedServiceAccounts/{unique}"


def _etag(call: Call) -> str:
    return f"BwY{call.store.next_number('etag'):08d}="


_PREFIX = "iam.projects.serviceAccounts."
_POLICY_HANDLERS, _POLICY_PERMISSIONS = iam_methods(
    "iam.projects.serviceAccounts", permission="iam.serviceAccounts", exists=_account
)

ACCOUNT_HANDLERS: dict[str, Callable[[Call], Any]] = {
    _PREFIX + "create": create,
    _PREFIX + "get": get,
    _PREFIX + "list": list_accounts,
    _PREFIX + "patch": patch,
    _PREFIX + "update": update,
    _PREFIX + "disable": disable,
    _PREFIX + "enable": enable,
    _PREFIX + "delete": delete,
    _PREFIX + "undelete": undelete,
    **_POLICY_HANDLERS,
}
"""The handlers of service accounts."""

ACCOUNT_PERMISSIONS: dict[str, str | Needs] = {
    _PREFIX + "create": "iam.serviceAccounts.create",
    _PREFIX + "get": "iam.serviceAccounts.get",
    _PREFIX + "list": "iam.serviceAccounts.list",
    _PREFIX + "patch": "iam.serviceAccounts.update",
    _PREFIX + "update": "iam.serviceAccounts.update",
    _PREFIX + "disable": "iam.serviceAccounts.disable",
    _PREFIX + "enable": "iam.serviceAccounts.enable",
    _PREFIX + "delete": "iam.serviceAccounts.delete",
    _PREFIX + "undelete": "iam.serviceAccounts.undelete",
    **_POLICY_PERMISSIONS,
}
"""What each of them needs."""
