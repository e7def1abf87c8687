"""The three policy methods that nearly every API has, ready for a service's table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.service import PUBLIC, Call, Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.store import Resource

_PERMISSION = re.compile(r"[a-z][a-z0-9]*\.[A-Za-z0-9]+\.[A-Za-z0-9]+", re.ASCII)


def iam_methods(
    prefix: str,
    *,
    permission: str,
    exists: Callable[[Call], object],
    public: bool = True,
    foreseen: bool = False,
) -> tuple[Mapping[str, Callable[[Call], Resource]], Mapping[str, str | Needs]]:
    """Give handlers and permissions for ``prefix``.getIamPolicy, setIamPolicy, testIamPermissions.

    Args:
        prefix: of the method ids, such as ``secretmanager.projects.secrets``.
        permission: of the permissions, such as ``secretmanager.secrets``.
        exists: raises 404 unless the resource is there.
        public: whether allUsers may be bound on it.
        foreseen: whether rights can be tested before the resource is there, as gcloud does before
            it deploys to Cloud Run.
    """

    def get_policy(call: Call) -> Resource:
        exists(call)
        version = call.get("options.requestedPolicyVersion")
        if version is None:
            version = call.body.get("options", {}).get("requestedPolicyVersion", 1)
        return call.cloud.iam.policy(full_name(call), version=version)

    def set_policy(call: Call) -> Resource:
        exists(call)
        mask = call.body.get("updateMask", "")
        return call.cloud.iam.set_policy(
            full_name(call),
            call.body.get("policy", {}),
            audit="auditConfigs" in mask,
            public=public,
        )

    def test_permissions(call: Call) -> Resource:
        if not foreseen:
            exists(call)
        return held(call, call.body.get("permissions", []))

    handlers = {
        f"{prefix}.getIamPolicy": get_policy,
        f"{prefix}.setIamPolicy": set_policy,
        f"{prefix}.testIamPermissions": test_permissions,
    }
    permissions: dict[str, str | Needs] = {
        f"{prefix}.getIamPolicy": f"{permission}.getIamPolicy",
        f"{prefix}.setIamPolicy": f"{permission}.setIamPolicy",
        f"{prefix}.testIamPermissions": PUBLIC,
    }
    return handlers, permissions


def full_name(call: Call) -> str:
    """Give the full resource name of what a call is about."""
    return f"//{call.service.host}/{call.resource}"


def held(call: Call, permissions: list[str]) -> dict[str, Any]:
    """Answer testIamPermissions: those of ``permissions`` the caller has.

    Wildcards are not allowed, as the documents of the method say.
    """
    for permission in permissions:
        if not _PERMISSION.fullmatch(permission):
            raise invalid(f"Permission {permission} is not valid for this resource.")
    mine = [
        permission
        for permission in permissions
        if call.cloud.iam.allowed(call.caller.member, permission, call.service.api, call.resource)
    ]
    return {"permissions": mine} if mine else {}
