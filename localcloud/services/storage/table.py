"""Cloud Storage as a table: which method is answered by what, and which permission it needs."""

from collections.abc import Callable
from typing import Any

from localcloud.errors import ApiError
from localcloud.service import PUBLIC, Call, Needs, Reply, Service
from localcloud.services.storage import (
    batch,
    buckets,
    copies,
    lifecycle,
    names,
    notifications,
    objects,
    uploads,
)
from localcloud.services.storage.depots import close_depot
from localcloud.services.storage.folders import FOLDERS, MANAGED, operation, operations
from localcloud.services.storage.rights import acl_methods, hmac_keys, payers, policies
from localcloud.services.storage.rights.access import by_list, by_session, denial
from localcloud.services.storage.xml import xml_face

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


def _on_time(handler: Answer) -> Answer:
    """Answer after what the lifecycle rules have due has been done, if somebody pays."""

    def answer(call: Call) -> Any:
        lifecycle.carry_out(call.cloud)
        payers.check(call)
        return handler(call)

    return answer


def _for_all(needs: str | Needs) -> Needs:
    """Let a caller without a token come as far as the question of what everybody may."""
    if needs is PUBLIC:
        return PUBLIC
    asked = needs if isinstance(needs, Needs) else Needs(needs)
    return Needs(*asked.permissions, resource=asked.resource, anonymous=True, also=asked.also)


def _project(call: Call) -> str:
    return f"projects/{call.get('project') or call.get('projectId') or call.cloud.project}"


def _resource(call: Call) -> str:
    """Name the bucket or object a call is about; what it writes counts, for copies."""
    bucket = call.get("bucket") or call.get("destinationBucket")
    if bucket is None:
        return _project(call)
    folder = call.get("managedFolder") if ".managedFolders." in call.method else None
    if folder is not None:
        return f"{names.resource_name(bucket)}/managedFolders/{folder}"
    name = call.get("object") or call.get("destinationObject") or call.get("name")
    if name is None and call.method == "storage.objects.insert":
        # A multipart upload names its object in the metadata.
        name = call.body.get("name")
    return names.resource_name(bucket, name)


def _source(call: Call) -> str:
    bucket = call.get("sourceBucket") or call["bucket"]
    return names.resource_name(bucket, call["sourceObject"])


_READS_SOURCE = Needs(
    "storage.objects.get", resource=_source, also=by_list("sourceBucket", "sourceObject")
)

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
    "storage.objects.insert": (
        uploads.insert,
        Needs("storage.objects.create", also=by_session),
    ),
    "storage.objects.get": (
        _conditional(objects.get),
        Needs("storage.objects.get", also=by_list()),
    ),
    "storage.objects.getIamPolicy": (
        acl_methods.object_policy,
        Needs("storage.objects.getIamPolicy", also=by_list()),
    ),
    "storage.objects.setIamPolicy": (
        acl_methods.set_object_policy,
        Needs("storage.objects.setIamPolicy", also=by_list()),
    ),
    "storage.objects.testIamPermissions": (acl_methods.test_object, PUBLIC),
    "storage.objects.list": (
        objects.list_all,
        Needs("storage.objects.list", also=by_list(name="prefix")),
    ),
    "storage.objects.patch": (
        objects.patch,
        Needs("storage.objects.update", also=by_list()),
    ),
    "storage.objects.update": (
        objects.update,
        Needs("storage.objects.update", also=by_list()),
    ),
    "storage.objects.delete": (
        _silent(objects.delete),
        Needs("storage.objects.delete", also=by_list()),
    ),
    "storage.objects.restore": (objects.restore, "storage.objects.restore"),
    "storage.objects.move": (objects.move, Needs("storage.objects.move", resource=_source)),
    "storage.objects.compose": (
        copies.compose,
        Needs("storage.objects.create", "storage.objects.get"),
    ),
    "storage.objects.copy": (copies.copy, _READS_SOURCE),
    "storage.objects.rewrite": (copies.rewrite, _READS_SOURCE),
    "storage.objects.bulkRestore": (objects.bulk_restore, "storage.objects.restore"),
    "storage.notifications.insert": (notifications.insert, "storage.buckets.update"),
    "storage.notifications.get": (notifications.get, "storage.buckets.get"),
    "storage.notifications.list": (notifications.list_all, "storage.buckets.get"),
    "storage.notifications.delete": (_silent(notifications.delete), "storage.buckets.update"),
    "storage.folders.insert": (FOLDERS.insert, "storage.folders.create"),
    "storage.folders.get": (FOLDERS.get, "storage.folders.get"),
    "storage.folders.list": (FOLDERS.list_all, "storage.folders.list"),
    "storage.folders.rename": (FOLDERS.rename, "storage.folders.rename"),
    "storage.folders.delete": (_silent(FOLDERS.delete), "storage.folders.delete"),
    "storage.folders.deleteRecursive": (
        FOLDERS.delete_below,
        Needs("storage.folders.delete", "storage.objects.delete"),
    ),
    "storage.managedFolders.insert": (MANAGED.insert, "storage.managedFolders.create"),
    "storage.managedFolders.get": (MANAGED.get, "storage.managedFolders.get"),
    "storage.managedFolders.list": (MANAGED.list_all, "storage.managedFolders.list"),
    "storage.managedFolders.update": (MANAGED.update, "storage.managedFolders.create"),
    "storage.managedFolders.delete": (_silent(MANAGED.delete), "storage.managedFolders.delete"),
    "storage.managedFolders.getIamPolicy": (MANAGED.policy, "storage.managedFolders.getIamPolicy"),
    "storage.managedFolders.setIamPolicy": (
        MANAGED.set_policy,
        "storage.managedFolders.setIamPolicy",
    ),
    "storage.managedFolders.testIamPermissions": (MANAGED.test, PUBLIC),
    "storage.buckets.operations.get": (operation, "storage.buckets.get"),
    "storage.buckets.operations.list": (operations, "storage.buckets.get"),
    "storage.projects.serviceAccount.get": (buckets.service_account, PUBLIC),
    "storage.projects.hmacKeys.create": (
        hmac_keys.create,
        Needs("storage.hmacKeys.create", resource=_project),
    ),
    "storage.projects.hmacKeys.get": (
        hmac_keys.get,
        Needs("storage.hmacKeys.get", resource=_project),
    ),
    "storage.projects.hmacKeys.list": (
        hmac_keys.list_all,
        Needs("storage.hmacKeys.list", resource=_project),
    ),
    "storage.projects.hmacKeys.update": (
        hmac_keys.update,
        Needs("storage.hmacKeys.update", resource=_project),
    ),
    "storage.projects.hmacKeys.delete": (
        _silent(hmac_keys.delete),
        Needs("storage.hmacKeys.delete", resource=_project),
    ),
}
for _method, (_answer, _permission, _bodiless) in acl_methods.methods().items():
    _HANDLERS[_method] = (
        _silent(_answer) if _bodiless else _answer,
        Needs(_permission, also=by_list()) if ".objects." in _permission else _permission,
    )

SERVICE = Service(
    "storage",
    "v1",
    {method: _on_time(handler) for method, (handler, _) in _HANDLERS.items()},
    permissions={method: _for_all(needs) for method, (_, needs) in _HANDLERS.items()},
    errors="legacy",
    resource=_resource,
    denial=denial,
    hosts=("www.googleapis.com", "storage.*.rep.googleapis.com", "*.storage.googleapis.com"),
    uploads=("storage.objects.insert",),
    extra={"POST /batch/storage/v1": batch.answer, **xml_face.ROUTES},
    on_stop=close_depot,
)
