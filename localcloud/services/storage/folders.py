"""Folders of a bucket with a hierarchical namespace, and managed folders with policies.

See cloud.google.com/storage/docs/folders-overview and .../managed-folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.iam import held
from localcloud.service import page
from localcloud.services.storage import generations, names, shelf, views
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.preconditions import Preconditions, failed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource
    from localcloud.services.storage.depot import Depot
    from localcloud.services.storage.events import Event
    from localcloud.services.storage.shelf import Bucket
    from localcloud.store import Collection

_LAST = "\U0010ffff"


class Shelved:
    """A folder's numbers, as preconditions ask for them."""

    def __init__(self, resource: Resource) -> None:
        """Look at a stored folder."""
        self.generation = 0
        self.metageneration = int(resource["metageneration"])
        self.etag = str(resource["metageneration"])


class Tree:
    """All folders of one kind: plain or managed."""

    def __init__(self, kind: str, collection: str, parameter: str) -> None:
        """Name the kind, its part of the URL and the parameter that names one."""
        self.kind = kind
        self.collection = collection
        self.parameter = parameter
        self.managed = collection == "managedFolders"

    def insert(self, call: Call) -> Resource:
        """Make a folder; all above it must be there, unless they are to be made as well."""
        name = _checked(call.body.get("name"))
        bucket = self._bucket(call)
        kept = self.kept(call.cloud)
        with kept.lock():
            if kept.find(_key(bucket, name)) is not None:
                message = f"The {self._word} you tried to create already exists."
                raise ApiError(409, message, reason="conflict")
            if not self.managed:
                self._ensure_parents(call, kept, bucket, name)
            return self._shown(bucket, self._put(call, kept, bucket, name))

    def get(self, call: Call) -> Resource:
        """Show a folder."""
        bucket = self._bucket(call)
        found = self._fetch(call, bucket, call[self.parameter])
        Preconditions.read(call.get).check(Shelved(found), reading=True)
        return self._shown(bucket, found)

    def list_all(self, call: Call) -> Resource:
        """Show folders below a prefix; with a delimiter only those of one level."""
        bucket = self._bucket(call)
        prefix, delimiter = call.get("prefix") or "", call.get("delimiter") or ""
        found = [
            self._shown(bucket, folder)
            for folder in sorted(self._all(call.cloud, bucket), key=lambda each: each["name"])
            if folder["name"].startswith(prefix)
            and (call.get("startOffset") or "") <= folder["name"] < (call.get("endOffset") or _LAST)
            and (not delimiter or delimiter not in folder["name"][len(prefix) : -1])
        ]
        return {"kind": f"{self.kind}s", **page(call, found, "items", default=1000)}

    def update(self, call: Call) -> Resource:
        """Write a folder anew, which has nothing of its own to change but its numbers."""
        bucket = self._bucket(call)
        kept = self.kept(call.cloud)
        with kept.lock():
            found = self._fetch(call, bucket, call[self.parameter])
            number = str(int(found["metageneration"]) + 1)
            changed = found | {"metageneration": number, "updateTime": _now(call)}
            return self._shown(bucket, kept.put(_key(bucket, found["name"]), changed))

    def delete(self, call: Call) -> None:
        """Delete an empty folder; a managed one may keep what is in it if the caller says so."""
        bucket = self._bucket(call)
        kept, depot = self.kept(call.cloud), depot_of(call.cloud)
        with depot.transaction(), kept.lock():
            found = self._fetch(call, bucket, call[self.parameter])
            Preconditions.read(call.get).check(Shelved(found))
            if not call.get("allowNonEmpty") and self._holds(call, depot, bucket, found["name"]):
                message = f"The {self._word} you tried to delete is not empty."
                raise ApiError(409, message, reason="conflict")
            kept.delete(_key(bucket, found["name"]))
        call.cloud.iam.forget(self._full(bucket, found["name"]))

    def delete_below(self, call: Call) -> Resource:
        """Delete a folder with everything in it, at once."""
        bucket = self._bucket(call)
        kept, depot = self.kept(call.cloud), depot_of(call.cloud)
        with depot.transaction(), kept.lock():
            found = self._fetch(call, bucket, call[self.parameter])
            Preconditions.read(call.get).check(Shelved(found))
            for entry in shelf.entries_below(depot, bucket, found["name"]):
                generations.retire(depot, bucket, entry)
            for folder in self._all(call.cloud, bucket):
                if folder["name"].startswith(found["name"]):
                    kept.delete(_key(bucket, folder["name"]))
        return done(call, {})

    def rename(self, call: Call) -> Resource:
        """Give a folder another name: everything in it comes along, at once."""
        bucket = self._bucket(call)
        source, target = call["sourceFolder"], _checked(call["destinationFolder"])
        kept, depot = self.kept(call.cloud), depot_of(call.cloud)
        with depot.transaction(), kept.lock():
            found = self._fetch(call, bucket, source)
            Preconditions.read(call.get, prefix="ifSource").check(Shelved(found))
            if kept.find(_key(bucket, target)) is not None:
                raise ApiError(409, "The destination folder already exists.", reason="conflict")
            if target.startswith(found["name"]):
                message = "A folder cannot be moved below itself."
                raise ApiError(400, message, reason="invalid")
            self._ensure_parents(call, kept, bucket, target)
            for entry in shelf.entries_below(depot, bucket, found["name"]):
                moved = target + entry.name.removeprefix(found["name"])
                content = generations.content_of(depot, entry)
                generations.commit(depot, bucket, moved, content, entry.resource)
                generations.retire(depot, bucket, entry)
            for folder in self._all(call.cloud, bucket):
                if folder["name"].startswith(found["name"]):
                    moved = target + folder["name"].removeprefix(found["name"])
                    kept.delete(_key(bucket, folder["name"]))
                    self._put(call, kept, bucket, moved)
        shown = self._shown(bucket, self._fetch(call, bucket, target))
        return done(call, shown | {"@type": "type.googleapis.com/google.storage.control.v2.Folder"})

    # A managed folder's policy

    def policy(self, call: Call) -> Resource:
        """Show a managed folder's policy."""
        full = self._policy_name(call)
        version = call.get("optionsRequestedPolicyVersion") or 1
        return self._policy_shown(call, call.cloud.iam.policy(full, version=version))

    def set_policy(self, call: Call) -> Resource:
        """Replace a managed folder's policy; 412 when the etag sent is not the present one."""
        full = self._policy_name(call)
        sent = call.body.get("etag")
        if sent and sent != call.cloud.iam.policy(full).get("etag"):
            raise failed()
        policy: Resource = {
            key: call.body[key] for key in ("bindings", "version") if key in call.body
        }
        return self._policy_shown(call, call.cloud.iam.set_policy(full, policy))

    def test(self, call: Call) -> Resource:
        """Say which of the permissions named the caller has on a managed folder."""
        self._policy_name(call)
        answer = held(call, call.get("permissions") or [])
        return {"kind": "storage#testIamPermissionsResponse", **answer}

    def _policy_name(self, call: Call) -> str:
        bucket = self._bucket(call)
        found = self._fetch(call, bucket, call[self.parameter])
        return self._full(bucket, found["name"])

    def _full(self, bucket: Bucket, name: str) -> str:
        return f"{names.full_name(bucket.name)}/managedFolders/{name}"

    def _policy_shown(self, call: Call, policy: Resource) -> Resource:
        folder = f"managedFolders/{call[self.parameter]}"
        return {
            "kind": "storage#policy",
            "resourceId": f"{names.resource_name(call['bucket'])}/{folder}",
            "version": policy.get("version", 1),
            "etag": policy["etag"],
            "bindings": policy.get("bindings", []),
        }

    # What is kept

    def kept(self, cloud: Cloud) -> Collection:
        """Return where folders of this kind are kept."""
        return cloud.store.of(f"storage.{self.collection}")

    @property
    def _word(self) -> str:
        return "managed folder" if self.managed else "folder"

    def _bucket(self, call: Call) -> Bucket:
        bucket = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
        if not self.managed and not hierarchical(bucket):
            message = "The bucket does not support hierarchical namespace."
            raise ApiError(400, message, reason="invalid")
        access = bucket.resource["iamConfiguration"]["uniformBucketLevelAccess"]
        if self.managed and not access["enabled"]:
            message = "Managed folders need a bucket with uniform bucket-level access."
            raise ApiError(412, message, reason="conditionNotMet")
        return bucket

    def _fetch(self, call: Call, bucket: Bucket, name: str) -> Resource:
        found = self.kept(call.cloud).find(_key(bucket, _checked(name)))
        if found is None:
            message = f"The specified {self._word} does not exist."
            raise ApiError(404, message, reason="notFound")
        return found

    def _all(self, cloud: Cloud, bucket: Bucket) -> list[Resource]:
        return [found for _, found in self.kept(cloud).under(_key(bucket, ""))]

    def _put(self, call: Call, kept: Collection, bucket: Bucket, name: str) -> Resource:
        now = _now(call)
        fresh = {"name": name, "metageneration": "1", "createTime": now, "updateTime": now}
        return kept.put(_key(bucket, name), fresh)

    def _ensure_parents(self, call: Call, kept: Collection, bucket: Bucket, name: str) -> None:
        parts = name.split("/")[:-2]
        for count in range(1, len(parts) + 1):
            parent = "/".join(parts[:count]) + "/"
            if kept.find(_key(bucket, parent)) is None:
                if not call.get("recursive"):
                    message = "The specified parent folder does not exist."
                    raise ApiError(409, message, reason="conflict")
                self._put(call, kept, bucket, parent)

    def _holds(self, call: Call, depot: Depot, bucket: Bucket, name: str) -> bool:
        if any(shelf.entries_below(depot, bucket, name)):
            return True
        below = (found["name"] for found in self._all(call.cloud, bucket))
        return not self.managed and any(each != name and each.startswith(name) for each in below)

    def _shown(self, bucket: Bucket, found: Resource) -> Resource:
        return {
            "kind": self.kind,
            "id": f"{bucket.name}/{found['name']}",
            "selfLink": f"{names.bucket_link(bucket.name)}/{self.collection}/{found['name']}",
            "bucket": bucket.name,
            **found,
        }


FOLDERS = Tree("storage#folder", "folders", "folder")
MANAGED = Tree("storage#managedFolder", "managedFolders", "managedFolder")


def hierarchical(bucket: Bucket) -> bool:
    """Say whether a bucket has a hierarchical namespace."""
    return bool(bucket.resource.get("hierarchicalNamespace", {}).get("enabled"))


def names_in(cloud: Cloud, name: str) -> tuple[str, ...]:
    """Return the names of a bucket's folders of both kinds, in order."""
    bucket = shelf.fetch_bucket(depot_of(cloud), name)
    found = {
        folder["name"]
        for tree in (FOLDERS, MANAGED)
        for _, folder in tree.kept(cloud).under(_key(bucket, ""))
    }
    return tuple(sorted(found))


def follow(cloud: Cloud, events: list[Event]) -> None:
    """Make the folders that objects written into a hierarchical bucket lie in."""
    kept = FOLDERS.kept(cloud)
    now = views.stamp(cloud.clock.now())
    for event in events:
        if event.type == "OBJECT_FINALIZE" and hierarchical(event.bucket):
            parts = event.entry.name.split("/")[:-1]
            for count in range(1, len(parts) + 1):
                name = "/".join(parts[:count]) + "/"
                if kept.find(_key(event.bucket, name)) is None:
                    fresh = {"name": name, "metageneration": "1", "createTime": now}
                    kept.put(_key(event.bucket, name), fresh | {"updateTime": now})


# Operations, which are done when they are answered


def done(call: Call, response: Resource) -> Resource:
    """Keep and show an operation that is over."""
    kept = call.cloud.store.of("storage.operations")
    number = kept.next_number(call["bucket"])
    bucket = names.resource_name(call["bucket"])
    operation: dict[str, Any] = {
        "kind": "storage#operation",
        "name": f"{bucket}/operations/{number}",
        "selfLink": f"{names.bucket_link(call['bucket'])}/operations/{number}",
        "done": True,
        "metadata": {"createTime": _now(call), "endTime": _now(call)},
        "response": response,
    }
    return kept.put(operation["name"], operation)


def operation(call: Call) -> Resource:
    """Show an operation."""
    name = f"{names.resource_name(call['bucket'])}/operations/{call['operationId']}"
    found = call.cloud.store.of("storage.operations").find(name)
    if found is None:
        raise ApiError(404, "The specified operation does not exist.", reason="notFound")
    return found


def operations(call: Call) -> Resource:
    """Show a bucket's operations."""
    shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    prefix = f"{names.resource_name(call['bucket'])}/operations/"
    found = call.cloud.store.of("storage.operations").children(prefix)
    return {"kind": "storage#operations", **page(call, found, "operations")}


def _checked(name: Any) -> str:
    text = str(name or "")
    text = text if text.endswith("/") else f"{text}/"
    names.check_object_name(text)
    if text == "/" or "//" in text or text.startswith("/"):
        raise ApiError(400, f"Invalid folder name: '{text}'", reason="invalid")
    return text


def _key(bucket: Bucket, name: str) -> str:
    return f"{bucket.key}:{name}"


def _now(call: Call) -> str:
    return views.stamp(call.cloud.clock.now())
