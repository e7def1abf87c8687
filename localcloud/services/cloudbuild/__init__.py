"""Cloud Build: steps really run, images are really built (localcloud/machines/builds/builder.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.documents.protos import Protos
from localcloud.service import Call, Needs, Service
from localcloud.services.cloudbuild import builds, logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _project(call: Call) -> str:
    """Builds have no policies: rights on them are rights on the project."""
    return f"projects/{call.cloud.project}"


def _needs(permission: str) -> Needs:
    return Needs(f"cloudbuild.{permission}", resource=_project)


_BUILDS: dict[str, tuple[Callable[[Call], Any], Needs]] = {
    "create": (builds.create, _needs("builds.create")),
    "get": (builds.get, _needs("builds.get")),
    "list": (builds.list_builds, _needs("builds.list")),
    "cancel": (builds.cancel, _needs("builds.update")),
    "retry": (builds.retry, _needs("builds.create")),
}
METHODS: dict[str, tuple[Callable[[Call], Any], Needs]] = {
    **{f"cloudbuild.projects.builds.{name}": row for name, row in _BUILDS.items()},
    **{f"cloudbuild.projects.locations.builds.{name}": row for name, row in _BUILDS.items()},
    "cloudbuild.projects.locations.getDefaultServiceAccount": (
        builds.default_account,
        _needs("builds.get"),
    ),
    "cloudbuild.operations.get": (builds.get_operation, _needs("operations.get")),
    "cloudbuild.projects.locations.operations.get": (
        builds.get_regional_operation,
        _needs("operations.get"),
    ),
    "cloudbuild.operations.cancel": (builds.cancel_operation, _needs("builds.update")),
}

SERVICE = Service(
    "cloudbuild",
    "v1",
    {method: handler for method, (handler, _) in METHODS.items()},
    protos=Protos("google.devtools.cloudbuild.v1", "google.cloud.devtools.cloudbuild_v1"),
    permissions={method: needs for method, (_, needs) in METHODS.items()},
    resource=_project,
    # a build's log is read where Cloud Storage is; see logs.ROUTE
    hosts=("storage.googleapis.com",),
    extra={logs.ROUTE: logs.read},
    on_start=lambda cloud: cloud.machines.builder.tidy(),
)
