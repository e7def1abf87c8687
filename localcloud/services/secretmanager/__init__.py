"""Secret Manager. Synchronous, so the smallest fake here: read this one first."""

from __future__ import annotations

from typing import Any

from localcloud.documents.protos import Protos
from localcloud.iam import iam_methods
from localcloud.service import Call, Needs, Service
from localcloud.services.secretmanager import secrets, versions

_POLICY_HANDLERS, _POLICY_PERMISSIONS = iam_methods(
    "secretmanager.projects.secrets", permission="secretmanager.secrets", exists=secrets.find
)


def _parent(call: Call) -> str:
    return call.cloud.by_id(call["parent"])


_HANDLERS: dict[str, Any] = {
    "create": secrets.create,
    "get": secrets.get,
    "list": secrets.list_secrets,
    "patch": secrets.patch,
    "delete": secrets.delete,
    "addVersion": versions.add_version,
    "versions.access": versions.access,
    "versions.get": versions.get_version,
    "versions.list": versions.list_versions,
    "versions.disable": versions.disable,
    "versions.enable": versions.enable,
    "versions.destroy": versions.destroy,
}
_PERMISSIONS: dict[str, str | Needs] = {
    "create": Needs("secretmanager.secrets.create", resource=_parent),
    "get": "secretmanager.secrets.get",
    "list": Needs("secretmanager.secrets.list", resource=_parent),
    "patch": "secretmanager.secrets.update",
    "delete": "secretmanager.secrets.delete",
    "addVersion": "secretmanager.versions.add",
    "versions.access": "secretmanager.versions.access",
    "versions.get": "secretmanager.versions.get",
    "versions.list": "secretmanager.versions.list",
    "versions.disable": "secretmanager.versions.disable",
    "versions.enable": "secretmanager.versions.enable",
    "versions.destroy": "secretmanager.versions.destroy",
}
_PREFIX = "secretmanager.projects.secrets."

SERVICE = Service(
    "secretmanager",
    "v1",
    {**{_PREFIX + name: handler for name, handler in _HANDLERS.items()}, **_POLICY_HANDLERS},
    protos=Protos("google.cloud.secretmanager.v1", "google.cloud.secretmanager_v1"),
    permissions={
        **{_PREFIX + name: needs for name, needs in _PERMISSIONS.items()},
        **_POLICY_PERMISSIONS,
    },
    required={
        _PREFIX + "create": ("replication",),
        _PREFIX + "addVersion": ("payload", "payload.data"),
    },
    resource=secrets.secret_name,
)
