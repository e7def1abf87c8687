"""Cloud Run v2: services, revisions, jobs, executions; the table of its methods."""

from localcloud.documents.protos import Protos
from localcloud.iam.methods import iam_methods
from localcloud.service import PUBLIC, Needs, Service
from localcloud.services.run import (
    executions,
    jobs,
    operations,
    recovery,
    revisions,
    services,
    sources,
)
from localcloud.services.run.knative import SERVICE as SERVICE_V1

__all__ = ["SERVICE", "SERVICE_V1"]

_AT = "run.projects.locations"

_HANDLERS = {
    f"{_AT}.services.create": services.create,
    f"{_AT}.services.get": services.get,
    f"{_AT}.services.list": services.listed,
    f"{_AT}.services.patch": services.patch,
    f"{_AT}.services.delete": services.delete,
    f"{_AT}.services.revisions.get": revisions.get,
    f"{_AT}.services.revisions.list": revisions.listed,
    f"{_AT}.services.revisions.delete": revisions.delete,
    f"{_AT}.jobs.create": jobs.create,
    f"{_AT}.jobs.get": jobs.get,
    f"{_AT}.jobs.list": jobs.listed,
    f"{_AT}.jobs.patch": jobs.patch,
    f"{_AT}.jobs.delete": jobs.delete,
    f"{_AT}.jobs.run": jobs.run,
    f"{_AT}.jobs.executions.get": executions.get,
    f"{_AT}.jobs.executions.list": executions.listed,
    f"{_AT}.jobs.executions.cancel": executions.cancel,
    f"{_AT}.jobs.executions.delete": executions.delete,
    f"{_AT}.jobs.executions.tasks.get": executions.get_task,
    f"{_AT}.jobs.executions.tasks.list": executions.list_tasks,
    f"{_AT}.builds.submit": sources.submit,
    f"{_AT}.operations.get": operations.get,
    f"{_AT}.operations.list": operations.listed,
    f"{_AT}.operations.delete": operations.delete,
    f"{_AT}.operations.wait": operations.wait,
}

_PERMISSIONS: dict[str, str | Needs] = {
    f"{_AT}.services.create": "run.services.create",
    f"{_AT}.services.get": "run.services.get",
    f"{_AT}.services.list": "run.services.list",
    f"{_AT}.services.patch": "run.services.update",
    f"{_AT}.services.delete": "run.services.delete",
    f"{_AT}.services.revisions.get": "run.revisions.get",
    f"{_AT}.services.revisions.list": "run.revisions.list",
    f"{_AT}.services.revisions.delete": "run.revisions.delete",
    f"{_AT}.jobs.create": "run.jobs.create",
    f"{_AT}.jobs.get": "run.jobs.get",
    f"{_AT}.jobs.list": "run.jobs.list",
    f"{_AT}.jobs.patch": "run.jobs.update",
    f"{_AT}.jobs.delete": "run.jobs.delete",
    f"{_AT}.jobs.run": "run.jobs.run",
    f"{_AT}.jobs.executions.get": "run.executions.get",
    f"{_AT}.jobs.executions.list": "run.executions.list",
    f"{_AT}.jobs.executions.cancel": "run.executions.cancel",
    f"{_AT}.jobs.executions.delete": "run.executions.delete",
    f"{_AT}.jobs.executions.tasks.get": "run.tasks.get",
    f"{_AT}.jobs.executions.tasks.list": "run.tasks.list",
    f"{_AT}.builds.submit": PUBLIC,  # Cloud Build asks the caller for its own permissions
    f"{_AT}.operations.get": "run.operations.get",
    f"{_AT}.operations.list": "run.operations.list",
    f"{_AT}.operations.delete": "run.operations.delete",
    f"{_AT}.operations.wait": "run.operations.get",
}

_service_handlers, _service_permissions = iam_methods(
    f"{_AT}.services", permission="run.services", exists=services.fetch, foreseen=True
)
_job_handlers, _job_permissions = iam_methods(
    f"{_AT}.jobs", permission="run.jobs", exists=jobs.fetch, foreseen=True
)

SERVICE = Service(
    "run",
    "v2",
    {**_HANDLERS, **_service_handlers, **_job_handlers},
    protos=Protos("google.cloud.run.v2", "google.cloud.run_v2"),
    permissions={**_PERMISSIONS, **_service_permissions, **_job_permissions},
    required={
        f"{_AT}.services.create": ("template",),
        f"{_AT}.jobs.create": ("template.template",),
        f"{_AT}.builds.submit": ("storageSource", "imageUri"),
    },
    hosts=("*-run.googleapis.com",),
    on_start=recovery.resume,
)
