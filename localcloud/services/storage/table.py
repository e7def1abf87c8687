"""Cloud Storage as a table: which method is answered by what, and which permission it needs."""

from collections.abc import Callable
from typing import Any

from localcloud.errors import ApiError
from localcloud.service import PUBLIC, Call, Needs, Reply, Service
from localcloud.services.storage import batch, buckets, copies, names, objects, policies, uploads
from localcloud.services.storage.depots import close_depot

_NO_CONTENT = 204
_UNCHANGED = 304

Answer = Callable[[Call], Any]


def _conditional(handler: Answer) -> Answer:
    """Answer a reader whose copy is still good with a bare 304, which can have no body."""

    def read(call: Call) -> Any:
        try:
            return handler(call)
        except ApiError as error:
            if error.code != _UNCHANGED:
                raise
            return Reply(_UNCHANGED, b"")

    return read


def _silent(handler: Answer) -> Answer:
    """Answer a deletion with 204 and no body."""

    def delete(call: Call) -> Reply:
        handler(call)
        return Reply(_NO_CONTENT, b"")

    return delete


def _project(call: Call) -> str:
    return f"projects/{call.get('project') or call.get('projectId') or call.cloud.project}"


def _resource(call: Call) -> str:
    """Name the bucket or object a call is about; what it writes counts, for copies."""
    bucket = call.get("bucket") or call.get("destinationBucket")
    if bucket is None:
        return _project(call)
    name = call.get("object") or call.get("destinationObject") or call.get("name")
    if name is None and call.method == "storage.objects.insert":
        # A multipart upload names its object in the metadata.
        name = call.body.get("name")
    return names.resource_name(bucket, name)


def _source(call: Call) -> str:
    bucket = call.get("sourceBucket") or call["bucket"]
    return names.resource_name(bucket, call["sourceObject"])


_HANDLERS: dict[str, tuple[Answer, str | Needs]] = {
    "storage.buckets.insert": (buckets.insert, Needs("storage.buckets.create", resource=_project)),
    "storage.buckets.get": (_conditional(buckets.get), "storage.buckets.get"),
    "storage.buckets.list": (buckets.list_all, Needs("storage.buckets.list", resource=_project)),
    "storage.buckets.patch": (buckets.patch, "storage.buckets.update"),
    "storage.buckets.update": (buckets.update, "storage.buckets.update"),
    "storage.buckets.delete": (_silent(buckets.delete), "storage.buckets.delete"),
    "storage.buckets.restore": (
        buckets.restore,
        Needs("storage.buckets.restore", resource=_project),
    ),
    "storage.buckets.lockRetentionPolicy": (buckets.lock_retention, "storage.buckets.update"),
    "storage.buckets.getStorageLayout": (buckets.storage_layout, "storage.objects.list"),
    "storage.buckets.getIamPolicy": (policies.get, "storage.buckets.getIamPolicy"),
    "storage.buckets.setIamPolicy": (policies.replace_policy, "storage.buckets.setIamPolicy"),
    "storage.buckets.testIamPermissions": (policies.test, PUBLIC),
    "storage.managedFolders.list": (buckets.managed_folders, "storage.managedFolders.list"),
    "storage.objects.insert": (uploads.insert, "storage.objects.create"),
    "storage.objects.get": (
        _conditional(objects.get),
        Needs("storage.objects.get", anonymous=True),
    ),
    "storage.objects.list": (
        objects.list_all,
        Needs("storage.objects.list", anonymous=True),
    ),
    "storage.objects.patch": (objects.patch, "storage.objects.update"),
    "storage.objects.update": (objects.update, "storage.objects.update"),
    "storage.objects.delete": (_silent(objects.delete), "storage.objects.delete"),
    "storage.objects.restore": (objects.restore, "storage.objects.restore"),
    "storage.objects.move": (objects.move, Needs("storage.objects.move", resource=_source)),
    "storage.objects.compose": (
        copies.compose,
        Needs("storage.objects.create", "storage.objects.get"),
    ),
    "storage.objects.copy": (copies.copy, Needs("storage.objects.get", resource=_source)),
    "storage.objects.rewrite": (copies.rewrite, Needs("storage.objects.get", resource=_source)),
    "storage.projects.serviceAccount.get": (buckets.service_account, PUBLIC),
}

SERVICE = Service(
    "storage",
    "v1",
    {method: handler for method, (handler, _) in _HANDLERS.items()},
    permissions={method: needs for method, (_, needs) in _HANDLERS.items()},
    errors="legacy",
    resource=_resource,
    hosts=("www.googleapis.com", "storage.*.rep.googleapis.com"),
    uploads=("storage.objects.insert",),
    extra={"POST /batch/storage/v1": batch.answer},
    on_stop=close_depot,
)
