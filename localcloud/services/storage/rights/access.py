"""Who may do something beyond what policies say, and the words of a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.storage import names, sessions, shelf
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.rights import acls

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource
    from localcloud.services.storage.shelf import Bucket

_BY_LIST = {
    "READER": frozenset({"storage.objects.get"}),
    "OWNER": frozenset(
        {
            "storage.objects.get",
            "storage.objects.update",
            "storage.objects.getIamPolicy",
            "storage.objects.setIamPolicy",
        }
    ),
}
"""What an object's list gives; see cloud.google.com/storage/docs/access-control/lists."""


def by_list(bucket: str = "bucket", name: str = "object") -> Callable[[Call, str], bool]:
    """Make a question for ``Needs.also``: does the object's list or its managed folder allow it?

    Args:
        bucket: the parameter that names the bucket.
        name: the parameter that names the object, or the beginning of a list of them.
    """

    def allowed(call: Call, permission: str) -> bool:
        if by_folder(call, permission, call[bucket], call.get(name)):
            return True
        depot = depot_of(call.cloud)
        with depot.transaction():
            owner = shelf.find_bucket(depot, call[bucket])
            if owner is None or acls.uniform(owner) or not call.get(name):
                return False
            entry = shelf.find_entry(depot, owner, call[name], call.get("generation"))
        if entry is None:
            return False
        role = acls.role_of(call.cloud, entry.resource.get("_acl", []), call.caller.member)
        return permission in _BY_LIST.get(role or "", ())

    return allowed


def by_folder(call: Call, permission: str, bucket: str, name: str | None) -> bool:
    """Say whether the policy of a managed folder above an object allows it.

    See cloud.google.com/storage/docs/managed-folders.
    """
    parts = (name or "").split("/")[:-1]
    return any(
        call.cloud.iam.allowed(
            call.caller.member,
            permission,
            "storage",
            f"{names.resource_name(bucket)}/managedFolders/{'/'.join(parts[:count])}/",
        )
        for count in range(1, len(parts) + 1)
    )


def by_session(call: Call, permission: str) -> bool:
    """Say whether a call goes on with an upload: its address alone is the right to do so.

    See cloud.google.com/storage/docs/resumable-uploads#session-uris.
    """
    if not call.get("upload_id"):
        name = call.get("name") or call.body.get("name")
        return by_folder(call, permission, call["bucket"], name)
    sessions.fetch(depot_of(call.cloud), call["upload_id"])
    return True


def denial(call: Call, permission: str) -> ApiError:
    """Return the refusal of a permission; 404 where there is not even a bucket to be refused."""
    bucket = call.get("sourceBucket") or call.get("bucket") or call.get("destinationBucket")
    if bucket is not None and shelf.find_bucket(depot_of(call.cloud), bucket) is None:
        return shelf.no_bucket()
    who = call.caller.email or "Anonymous caller"
    kind = "object" if permission.startswith("storage.objects.") else "bucket"
    if permission == "storage.objects.list":
        kind = "bucket"
    what = f"Google Cloud Storage {kind}" if bucket else "Google Cloud project"
    message = (
        f"{who} does not have {permission} access to the {what}. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    if call.caller.anonymous:
        realm = {"www-authenticate": 'Bearer realm="https://accounts.google.com/"'}
        return ApiError(401, message, reason="required", headers=realm)
    return ApiError(403, message, reason="forbidden")


def new_list(
    call: Call, bucket: Bucket, given: Resource, parameter: str = "predefinedAcl"
) -> Resource:
    """Return what a new object remembers about its owner and who may do what with it."""
    named = call.get(parameter) or given.get("predefinedAcl")
    if acls.uniform(bucket):
        if named or given.get("acl"):
            raise acls.refusal("insert legacy ACL for an object")
        return {}
    number = call.cloud.number
    owner = f"user-{call.caller.email}" if call.caller.email else ""
    if named:
        grants = acls.predefined(named, number=number, owner=owner)
    else:
        listed = given.get("acl") or bucket.resource.get("_defaultObjectAcl", [])
        grants = acls.checked(listed, roles=acls.OBJECT_ROLES, number=number)
        if owner:
            grants = [
                {"entity": owner, "role": "OWNER"},
                *(grant for grant in grants if grant["entity"] != owner),
            ]
    acls.refuse_public(bucket, grants)
    return {"_acl": grants, "_owner": owner} if owner else {"_acl": grants}


def changed_list(call: Call, bucket: Bucket, resource: Resource) -> Resource:
    """Return an object's metadata with the list a patch or an update gives it, if it does."""
    named, listed = call.get("predefinedAcl"), call.body.get("acl")
    if not named and listed is None:
        return resource
    if acls.uniform(bucket):
        # An empty list takes nothing away that is there.
        if not named and not listed:
            return resource
        raise acls.refusal("update legacy ACL for an object")
    owner = resource.get("_owner", "")
    if named:
        grants = acls.predefined(named, number=call.cloud.number, owner=owner)
    else:
        grants = acls.checked(listed or [], roles=acls.OBJECT_ROLES, number=call.cloud.number)
        if owner and all(grant["entity"] != owner for grant in grants):
            grants = [{"entity": owner, "role": "OWNER"}, *grants]
    acls.refuse_public(bucket, grants)
    return resource | {"_acl": grants}
