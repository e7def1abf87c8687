"""Buckets: made, shown, changed, deleted and brought back."""

from collections.abc import Callable
from dataclasses import replace

from localcloud.errors import ApiError
from localcloud.merge import patched
from localcloud.service import Call, Resource, page
from localcloud.services.storage import (
    bucket_rules,
    folders,
    locations,
    names,
    notifications,
    shelf,
    views,
)
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.rights import acls, bucket_lists, policies

_SAME_OWNER = "You already own this bucket. Please select another name."
_TAKEN = (
    "The requested bucket name is not available. The bucket namespace is shared by all users of "
    "the system. Please select a different name and try again."
)


def insert(call: Call) -> Resource:
    """Make a bucket in a project, with Google's defaults for what is not said."""
    project = _project(call)
    name = names.check_bucket_name(call.body.get("name"))
    bucket_rules.refuse_unknown(call.body)
    depot = depot_of(call.cloud)
    placed = call.body.get("customPlacementConfig") or {}
    location, kind = locations.resolve(call.body.get("location"), placed.get("dataLocations"))
    now = depot.now()
    given = {key: call.body[key] for key in bucket_rules.SETTABLE if call.body.get(key) is not None}
    resource = bucket_rules.settle(given, {}, now) | {
        "projectNumber": call.cloud.number,
        "location": location,
        "locationType": kind,
        "timeCreated": views.stamp(now),
        "updated": views.stamp(now),
    }
    if kind != "region":
        resource.setdefault("rpo", "DEFAULT")
    if placed:
        resource["customPlacementConfig"] = placed
    if call.get("enableObjectRetention"):
        call.require("storage.buckets.enableObjectRetention", names.resource_name(name))
        resource["objectRetention"] = {"mode": "Enabled"}
    with depot.transaction():
        shelf.drop_expired(depot)
        taken = shelf.find_bucket(depot, name)
        if taken is not None:
            message = _SAME_OWNER if taken.project == project else _TAKEN
            raise ApiError(409, message, reason="conflict")
        draft = shelf.Bucket(0, name, 0, 0, project, None, resource)
        if folders.hierarchical(draft) and not acls.uniform(draft):
            message = "Hierarchical namespace needs uniform bucket-level access."
            raise ApiError(400, message, reason="invalid")
        grants, lists = bucket_lists.wanted(call, draft, new=True)
        made = shelf.add_bucket(depot, name, project, resource | lists)
        policies.begin(call.cloud, name)
        if grants is not None:
            bucket_lists.replace_own(call.cloud, made, grants)
    full = call.body.get("acl") or call.body.get("defaultObjectAcl")
    return bucket_lists.shown(call, made, default="full" if full else "noAcl")


def get(call: Call) -> Resource:
    """Show a bucket, or with ``softDeleted`` one that can still be restored."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        if call.get("softDeleted"):
            found = shelf.deleted_bucket(depot, call["bucket"], _generation(call))
        else:
            found = shelf.fetch_bucket(depot, call["bucket"])
        Preconditions.read(call.get, call.headers).check(found, reading=True)
    return bucket_lists.shown(call, found)


def list_all(call: Call) -> Resource:
    """Show a project's buckets, page by page in the order of their names."""
    depot = depot_of(call.cloud)
    deleted = bool(call.get("softDeleted"))
    found = shelf.list_buckets(depot, _project(call), deleted=deleted)
    prefix = call.get("prefix") or ""
    shown = [bucket_lists.shown(call, each) for each in found if each.name.startswith(prefix)]
    answer = page(call, shown, "items", "maxResults", default=1000)
    return {"kind": "storage#buckets", **answer}


def patch(call: Call) -> Resource:
    """Change what the body names; null removes."""
    return _change(call, lambda old: patched(old, _settable(call.body)))


def update(call: Call) -> Resource:
    """Replace all settings by those of the body."""

    def replaced(old: Resource) -> Resource:
        fixed = {key: value for key, value in old.items() if key not in bucket_rules.SETTABLE}
        given = {key: value for key, value in _settable(call.body).items() if value is not None}
        return {"storageClass": old["storageClass"]} | fixed | given

    return _change(call, replaced)


def delete(call: Call) -> None:
    """Delete an empty bucket; under a soft delete policy it can be restored for a while."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = shelf.fetch_bucket(depot, call["bucket"])
        Preconditions.read(call.get, call.headers).check(found)
        if not shelf.is_empty(depot, found):
            message = "The bucket you tried to delete is not empty."
            raise ApiError(409, message, reason="conflict")
        now = depot.now()
        seconds = int(found.resource["softDeletePolicy"]["retentionDurationSeconds"])
        if seconds:
            times = {
                "softDeleteTime": views.stamp(now),
                "hardDeleteTime": views.stamp(now + seconds),
            }
            resource = found.resource | times
            shelf.save_bucket(depot, replace(found, purge_at=now + seconds, resource=resource))
        else:
            shelf.drop_bucket(depot, found)
        policies.end(call.cloud, found.name)


def restore(call: Call) -> Resource:
    """Bring a softly deleted bucket back, unless its name has been taken since."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = shelf.deleted_bucket(depot, call["bucket"], _generation(call))
        if shelf.find_bucket(depot, found.name) is not None:
            raise ApiError(409, _SAME_OWNER, reason="conflict")
        resource = {
            key: value
            for key, value in found.resource.items()
            if key not in {"softDeleteTime", "hardDeleteTime"}
        }
        resource["updated"] = views.stamp(depot.now())
        restored = shelf.save_bucket(depot, replace(found, purge_at=None, resource=resource))
        policies.begin(call.cloud, found.name)
    return bucket_lists.shown(call, restored)


def lock_retention(call: Call) -> Resource:
    """Lock a retention policy: from now on it can only grow."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = shelf.fetch_bucket(depot, call["bucket"])
        Preconditions.read(call.get, call.headers).check(found)
        policy = found.resource.get("retentionPolicy")
        if policy is None:
            message = "Bucket does not have an unlocked retention policy."
            raise ApiError(400, message, reason="invalid")
        resource = found.resource | {"retentionPolicy": {**policy, "isLocked": True}}
        return views.bucket(shelf.save_bucket(depot, replace(found, resource=resource)))


def storage_layout(call: Call) -> Resource:
    """Show where a bucket lies; gcloud asks before it deletes recursively."""
    found = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    hierarchical = found.resource.get("hierarchicalNamespace", {}).get("enabled", False)
    return {
        "kind": "storage#storageLayout",
        "bucket": found.name,
        "location": found.resource["location"],
        "locationType": found.resource["locationType"],
        "hierarchicalNamespace": {"enabled": hierarchical},
    }


def service_account(call: Call) -> Resource:
    """Name the account with which Cloud Storage itself acts for the project."""
    return {"kind": "storage#serviceAccount", "email_address": notifications.account(call.cloud)}


def _change(call: Call, change: Callable[[Resource], Resource]) -> Resource:
    bucket_rules.refuse_unknown(call.body)
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = shelf.fetch_bucket(depot, call["bucket"])
        Preconditions.read(call.get, call.headers).check(found)
        now = depot.now()
        wanted = call.body.get("hierarchicalNamespace")
        if wanted and bool(wanted.get("enabled")) is not folders.hierarchical(found):
            message = "Hierarchical namespace cannot be changed after a bucket was made."
            raise ApiError(400, message, reason="invalid")
        resource = bucket_rules.settle(change(found.resource), found.resource, now)
        resource["updated"] = views.stamp(now)
        grants, lists = bucket_lists.wanted(call, replace(found, resource=resource))
        saved = shelf.save_bucket(depot, replace(found, resource=resource | lists))
        if grants is not None:
            bucket_lists.replace_own(call.cloud, saved, grants)
    return bucket_lists.shown(call, saved, default="full")


def _settable(body: Resource) -> Resource:
    return {key: value for key, value in body.items() if key in bucket_rules.SETTABLE}


def _generation(call: Call) -> int:
    generation = call.get("generation")
    if generation is None:
        message = "Required parameter: generation"
        raise ApiError(400, message, reason="required")
    return int(generation)


def _project(call: Call) -> str:
    """Return the project ID of the call; a project is named by ID or number."""
    project = call.get("project")
    if project in {call.cloud.project, call.cloud.number}:
        return str(call.cloud.project)
    raise ApiError(400, f"Unknown project id: {project}", reason="invalid")
