"""Workflows: sources, their revisions, and the operations that deploy them."""

from __future__ import annotations

from typing import Any

from localcloud.documents.protos import Protos
from localcloud.service import Needs, Service
from localcloud.services.workflows import deployments, operations
from localcloud.services.workflows.quotas import metered

_PREFIX = "workflows.projects.locations."
_HANDLERS: dict[str, tuple[Any, str]] = {
    "workflows.create": (deployments.create, "workflows.workflows.create"),
    "workflows.get": (deployments.get, "workflows.workflows.get"),
    "workflows.list": (deployments.list_workflows, "workflows.workflows.list"),
    "workflows.patch": (deployments.patch, "workflows.workflows.update"),
    "workflows.delete": (deployments.delete, "workflows.workflows.delete"),
    "operations.get": (operations.get_operation, "workflows.operations.get"),
    "operations.list": (operations.list_operations, "workflows.operations.list"),
    "operations.delete": (operations.delete_operation, "workflows.operations.cancel"),
    "get": (operations.get_location, "workflows.locations.get"),
    "list": (operations.list_locations, "workflows.locations.list"),
}
_REVISIONS: dict[str, tuple[Any, str]] = {
    "workflows.listRevisions": (deployments.list_revisions, "workflows.workflows.listRevision")
}


def _service(version: str, table: dict[str, tuple[Any, str]]) -> Service:
    return Service(
        "workflows",
        version,
        {
            _PREFIX + method: metered("workflows", handler) if "workflows." in method else handler
            for method, (handler, _) in table.items()
        },
        protos=Protos(f"google.cloud.workflows.{version}", f"google.cloud.workflows_{version}"),
        permissions={_PREFIX + method: Needs(needed) for method, (_, needed) in table.items()},
        required={_PREFIX + "workflows.create": ("sourceContents",)},
        resource=operations.workflow_name,
    )


SERVICE = _service("v1", {**_HANDLERS, **_REVISIONS})
SERVICE_V1BETA = _service("v1beta", _HANDLERS)
