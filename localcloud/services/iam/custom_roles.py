"""Roles: the project's own, and a look at the predefined ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import already_exists, invalid, not_found, precondition
from localcloud.iam import predefined
from localcloud.merge import merged
from localcloud.service import PUBLIC, Call, Needs, Resource, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ID = re.compile(r"[a-zA-Z0-9_.]{3,64}")
_CHANGEABLE = frozenset({"title", "description", "includedPermissions", "stage"})


def create(call: Call) -> Resource:
    """Make a custom role."""
    role_id = call.body["roleId"]
    if not _ID.fullmatch(role_id):
        raise invalid(f"The role_id {role_id!r} must match [a-zA-Z0-9_.]{{3,64}}.")
    role = call.body["role"]
    _check_permissions(call, role.get("includedPermissions", []))
    name = f"projects/{call.cloud.project}/roles/{role_id}"
    with call.store.lock():
        if call.store.find(name) is not None:
            raise already_exists(
                f"A role named {role_id} in projects/{call.cloud.project} already exists."
            )
        made = {**role, "name": name, "etag": _etag(call), "stage": role.get("stage", "ALPHA")}
        return call.store.create(name, made)


def get(call: Call) -> Resource:
    """Show a custom role, deleted or not."""
    return _role(call)


def list_roles(call: Call) -> Resource:
    """List the project's custom roles."""
    found = call.store.children(f"projects/{call.cloud.project}/roles/")
    shown = [
        _basic(role) if call.get("view") != "FULL" else role
        for role in found
        if call.get("showDeleted") or not role.get("deleted")
    ]
    return page(call, shown, "roles", default=300)


def patch(call: Call) -> Resource:
    """Change a custom role."""
    if _role(call).get("deleted"):
        raise precondition(f"The role {call['name']} is deleted; undelete it first.")
    mask = call.mask() or sorted(_CHANGEABLE & call.body.keys())
    if not set(mask) <= _CHANGEABLE:
        raise invalid(f"The update mask may name {', '.join(sorted(_CHANGEABLE))}.")
    _check_permissions(call, call.body.get("includedPermissions", []))
    return call.store.update(
        _name(call), lambda role: {**merged(role, call.body, mask), "etag": _etag(call)}
    )


def delete(call: Call) -> Resource:
    """Mark a custom role deleted; its bindings grant nothing from then on."""
    _role(call)
    return call.store.update(_name(call), lambda role: {**role, "deleted": True})


def undelete(call: Call) -> Resource:
    """Bring a deleted role back."""
    _role(call)
    return call.store.update(
        _name(call), lambda role: {key: value for key, value in role.items() if key != "deleted"}
    )


def get_predefined(call: Call) -> Resource:
    """Show a predefined role, as far as we have methods for its permissions."""
    role = call["name"]
    if role in predefined.BASIC:
        held = sorted(
            permission for permission in _known(call) if predefined.grants(role, permission)
        )
    elif predefined.known(role):
        held = sorted(predefined.predefined()[role])
    else:
        raise not_found(f"The role named {role} was not found.")
    return {"name": role, "title": role, "stage": "GA", "includedPermissions": held}


def list_predefined(call: Call) -> Resource:
    """List the predefined roles."""
    names = [*predefined.BASIC, *sorted(predefined.predefined())]
    return page(call, [{"name": name, "title": name} for name in names], "roles", default=300)


def query_grantable(call: Call) -> Resource:
    """List the roles that bindings on a resource may name: here, all of them on each."""
    for field in ("pageSize", "pageToken"):
        call.params[field] = call.body.get(field)
    return list_predefined(call)


def query_testable(call: Call) -> Resource:
    """List the permissions that custom roles may have: those some method here asks for."""
    call.params["pageSize"] = call.body.get("pageSize")
    call.params["pageToken"] = call.body.get("pageToken")
    found = [{"name": name, "stage": "GA"} for name in sorted(_known(call))]
    return page(call, found, "permissions")


def _name(call: Call) -> str:
    return call.cloud.by_id(call["name"])


def _role(call: Call) -> Resource:
    found = call.store.find(_name(call))
    if found is None:
        raise not_found(f"The role named {_name(call)} was not found.")
    return found


def _basic(role: Resource) -> Resource:
    return {key: value for key, value in role.items() if key != "includedPermissions"}


def _known(call: Call) -> set[str]:
    declared = {
        permission
        for service in call.cloud.services
        for needs in service.permissions.values()
        for permission in needs.permissions
    }
    return declared.union(*predefined.predefined().values())


def _check_permissions(call: Call, permissions: Iterable[str]) -> None:
    known = _known(call)
    for permission in permissions:
        if permission not in known:
            raise invalid(f"Permission {permission} is not valid.")


def _etag(call: Call) -> str:
    return f"BwZ{call.store.next_number('etag'):08d}="


_PREFIX = "iam.projects.roles."

ROLE_HANDLERS: dict[str, Callable[[Call], Any]] = {
    _PREFIX + "create": create,
    _PREFIX + "get": get,
    _PREFIX + "list": list_roles,
    _PREFIX + "patch": patch,
    _PREFIX + "delete": delete,
    _PREFIX + "undelete": undelete,
    "iam.roles.get": get_predefined,
    "iam.roles.list": list_predefined,
    "iam.roles.queryGrantableRoles": query_grantable,
    "iam.permissions.queryTestablePermissions": query_testable,
}
"""The handlers of roles."""

ROLE_PERMISSIONS: dict[str, str | Needs] = {
    _PREFIX + "create": "iam.roles.create",
    _PREFIX + "get": "iam.roles.get",
    _PREFIX + "list": "iam.roles.list",
    _PREFIX + "patch": "iam.roles.update",
    _PREFIX + "delete": "iam.roles.delete",
    _PREFIX + "undelete": "iam.roles.undelete",
    "iam.roles.get": PUBLIC,
    "iam.roles.list": PUBLIC,
    "iam.roles.queryGrantableRoles": PUBLIC,
    "iam.permissions.queryTestablePermissions": PUBLIC,
}
"""What each of them needs."""
