"""Predefined roles: what each service's owner wrote down, and the three basic roles by rule."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from pathlib import Path

# what even an owner cannot do without a role made for it
_NOT_BASIC = frozenset(
    {
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.implicitDelegation",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccounts.signJwt",
        # an owner too sees "You don't have access" until he is on the list
        "iap.webServiceVersions.accessViaIAP",
        # a guard rail: who owns a project does not rule the organisation
        "orgpolicy.policies.create",
        "orgpolicy.policies.delete",
        "orgpolicy.policies.update",
        "orgpolicy.policy.set",
    }
)
_OWNER_ONLY = frozenset(
    {
        "secretmanager.versions.access",
        "iam.roles.create",
        "iam.roles.update",
        "iam.roles.delete",
    }
)
_READING = ("get", "list", "getIamPolicy", "search", "export")
# reading that the basic viewer lacks
_NOT_VIEWER = frozenset({"storage.objects.get", "storage.objects.list", "cloudsql.instances.login"})

BASIC = ("roles/owner", "roles/editor", "roles/viewer")


@cache
def predefined() -> dict[str, frozenset[str]]:
    """Give the permissions of every predefined role, merged over all files."""
    merged: defaultdict[str, set[str]] = defaultdict(set)
    for file in sorted((Path(__file__).parent / "roles").glob("*.json")):
        for role, permissions in json.loads(file.read_text()).items():
            if not role.startswith("roles/"):
                raise ValueError(f"{file.name}: {role!r} is not a predefined role's name")
            merged[role].update(permissions)
    return {role: frozenset(permissions) for role, permissions in merged.items()}


def grants(role: str, permission: str) -> bool:
    """Tell whether a predefined or basic role contains a permission."""
    basic = _BASIC_RULES.get(role)
    if basic is not None:
        return basic(permission)
    return permission in predefined().get(role, frozenset())


def known(role: str) -> bool:
    """Tell whether there is such a predefined or basic role."""
    return role in BASIC or role in predefined()


def _owner(permission: str) -> bool:
    return permission not in _NOT_BASIC


def _editor(permission: str) -> bool:
    return (
        _owner(permission)
        and permission not in _OWNER_ONLY
        and not permission.endswith(".setIamPolicy")
    )


def _viewer(permission: str) -> bool:
    return (
        _editor(permission)
        and permission not in _NOT_VIEWER
        and permission.rpartition(".")[2] in _READING
    )


_BASIC_RULES = {"roles/owner": _owner, "roles/editor": _editor, "roles/viewer": _viewer}
