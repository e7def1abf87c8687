"""Cloud Run v1, which gcloud speaks: the same services in Knative's words, in Kubernetes' manner.

Everything is kept as v2 has it (localcloud/services/run); here it is only translated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.iam.methods import iam_methods
from localcloud.service import Needs, Service
from localcloud.services.run import jobs as v2_jobs
from localcloud.services.run import names
from localcloud.services.run import services as v2
from localcloud.services.run.knative import jobs, objects, revisions, services

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call

_SERVICES, _REVISIONS = "run.namespaces.services", "run.namespaces.revisions"


def _one(call: Call) -> str:
    return objects.full_name(call, "services", call["name"].rpartition("/")[2])


_TABLE: dict[str, tuple[Callable[[Call], Any], Needs]] = {
    f"{_SERVICES}.list": (services.listed, Needs("run.services.list", resource=objects.within)),
    # gcloud lists the services of all regions by this name
    "run.projects.locations.services.list": (
        services.listed,
        Needs("run.services.list", resource=objects.within),
    ),
    "run.projects.locations.list": (
        names.locations,
        Needs("run.locations.list", resource=objects.within),
    ),
    f"{_SERVICES}.get": (services.get, Needs("run.services.get", resource=_one)),
    f"{_SERVICES}.create": (
        services.create,
        Needs("run.services.create", resource=objects.within),
    ),
    f"{_SERVICES}.replaceService": (
        services.replace,
        Needs("run.services.update", resource=_one),
    ),
    f"{_SERVICES}.delete": (services.delete, Needs("run.services.delete", resource=_one)),
    f"{_REVISIONS}.list": (
        revisions.listed,
        Needs("run.revisions.list", resource=objects.within),
    ),
    f"{_REVISIONS}.get": (
        revisions.get,
        Needs("run.revisions.get", resource=revisions.resource),
    ),
    f"{_REVISIONS}.delete": (
        revisions.delete,
        Needs("run.revisions.delete", resource=revisions.resource),
    ),
}
_JOBS: dict[str, tuple[Callable[[Call], Any], str]] = {
    "jobs.list": (jobs.listed, "run.jobs.list"),
    "jobs.get": (jobs.get, "run.jobs.get"),
    "jobs.create": (jobs.create, "run.jobs.create"),
    "jobs.replaceJob": (jobs.replace, "run.jobs.update"),
    "jobs.delete": (jobs.delete, "run.jobs.delete"),
    "jobs.run": (jobs.run, "run.jobs.run"),
    "executions.list": (jobs.list_executions, "run.executions.list"),
    "executions.get": (jobs.get_execution, "run.executions.get"),
    "executions.cancel": (jobs.cancel_execution, "run.executions.cancel"),
    "executions.delete": (jobs.delete_execution, "run.executions.delete"),
    "tasks.list": (jobs.list_tasks, "run.tasks.list"),
}
_TABLE |= {
    f"run.namespaces.{name}": (handler, Needs(needed, resource=jobs.resource))
    for name, (handler, needed) in _JOBS.items()
}
_handlers, _permissions = iam_methods(
    "run.projects.locations.services", permission="run.services", exists=v2.fetch, foreseen=True
)
_job_handlers, _job_permissions = iam_methods(
    "run.projects.locations.jobs", permission="run.jobs", exists=v2_jobs.fetch, foreseen=True
)

SERVICE = Service(
    "run",
    "v1",
    {
        **{method: handler for method, (handler, _) in _TABLE.items()},
        **_handlers,
        **_job_handlers,
    },
    permissions={
        **{method: needs for method, (_, needs) in _TABLE.items()},
        **_permissions,
        **_job_permissions,
    },
    hosts=("*-run.googleapis.com",),
)
