"""The methods that read and change one list entry by entry, for all three kinds of list."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.errors import ApiError
from localcloud.iam import held
from localcloud.services.storage import names, shelf
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.events import Event
from localcloud.services.storage.preconditions import failed
from localcloud.services.storage.rights import acls, bucket_lists
from localcloud.services.storage.rights.access import by_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource
    from localcloud.services.storage.depot import Depot
    from localcloud.services.storage.rights.acls import Grant
    from localcloud.services.storage.shelf import Bucket, Entry


class _Kind(NamedTuple):
    """One kind of list: what it is called, which roles it knows, where it is kept."""

    item: str
    items: str
    roles: dict[str, str]
    of_object: bool
    load: Callable[[Call, Bucket, Entry | None], list[Grant]]
    save: Callable[[Call, Depot, Bucket, Entry | None, list[Grant]], None]


def _load_own(call: Call, bucket: Bucket, _entry: Entry | None) -> list[Grant]:
    return bucket_lists.own(call.cloud, bucket)


def _save_own(
    call: Call, depot: Depot, bucket: Bucket, _entry: Entry | None, grants: list[Grant]
) -> None:
    bucket_lists.replace_own(call.cloud, bucket, grants)
    shelf.save_bucket(depot, bucket)


def _load_default(_call: Call, bucket: Bucket, _entry: Entry | None) -> list[Grant]:
    return list(bucket.resource.get("_defaultObjectAcl", []))


def _save_default(
    _call: Call, depot: Depot, bucket: Bucket, _entry: Entry | None, grants: list[Grant]
) -> None:
    acls.refuse_public(bucket, grants)
    resource = bucket.resource | {"_defaultObjectAcl": grants}
    shelf.save_bucket(depot, replace(bucket, resource=resource))


def _load_object(_call: Call, _bucket: Bucket, entry: Entry | None) -> list[Grant]:
    return list(entry.resource.get("_acl", [])) if entry is not None else []


def _save_object(
    _call: Call, depot: Depot, bucket: Bucket, entry: Entry | None, grants: list[Grant]
) -> None:
    if entry is None:
        return
    acls.refuse_public(bucket, grants)
    changed = replace(
        entry,
        metageneration=entry.metageneration + 1,
        resource=entry.resource | {"_acl": grants},
    )
    shelf.save_entry(depot, changed)
    depot.tell(Event("OBJECT_METADATA_UPDATE", bucket, changed, {}))


_BUCKET = _Kind(
    "storage#bucketAccessControl",
    "storage#bucketAccessControls",
    acls.BUCKET_ROLES,
    of_object=False,
    load=_load_own,
    save=_save_own,
)
_DEFAULT = _Kind(
    "storage#objectAccessControl",
    "storage#objectAccessControls",
    acls.OBJECT_ROLES,
    of_object=False,
    load=_load_default,
    save=_save_default,
)
_OBJECT = _Kind(
    "storage#objectAccessControl",
    "storage#objectAccessControls",
    acls.OBJECT_ROLES,
    of_object=True,
    load=_load_object,
    save=_save_object,
)


class _Open:
    """One list, opened by a call inside its transaction."""

    def __init__(self, kind: _Kind, call: Call, depot: Depot) -> None:
        self.kind, self.call, self.depot = kind, call, depot
        self.bucket = shelf.fetch_bucket(depot, call["bucket"])
        if acls.uniform(self.bucket):
            raise acls.legacy_refusal("object" if kind.of_object else "bucket")
        self.entry: Entry | None = None
        if kind.of_object:
            self.entry = shelf.fetch_entry(
                depot, self.bucket, call["object"], call.get("generation")
            )
        self.grants = kind.load(call, self.bucket, self.entry)

    def shown(self, grant: Grant) -> Resource:
        """Show one entry."""
        of: Resource = {"bucket": self.bucket.name, "etag": (self.entry or self.bucket).etag}
        if self.entry is not None:
            of |= {"object": self.entry.name, "generation": str(self.entry.generation)}
        if self.kind is _DEFAULT:
            of["listed"] = False
        return acls.shown(grant, kind=self.kind.item, of=of, number=self.call.cloud.number)

    def find(self, entity: str) -> Grant:
        """Return the entry of an entity; 404 if there is none."""
        found = next((grant for grant in self.grants if grant["entity"] == entity), None)
        if found is None:
            message = f"The specified ACL entity was not found: {entity}"
            raise ApiError(404, message, reason="notFound")
        return found

    def write(self, entity: str, role: str | None) -> None:
        """Give an entity a role, or none."""
        grants = [grant for grant in self.grants if grant["entity"] != entity]
        if role is not None:
            grants.append({"entity": entity, "role": role})
        self.grants = acls.checked(grants, roles=self.kind.roles, number=self.call.cloud.number)
        self.kind.save(self.call, self.depot, self.bucket, self.entry, self.grants)


def _list(kind: _Kind, call: Call) -> Resource:
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(kind, call, depot)
        if kind is _DEFAULT:
            for given, actual in (
                (call.get("ifMetagenerationMatch"), True),
                (call.get("ifMetagenerationNotMatch"), False),
            ):
                if given is not None and (given == found.bucket.metageneration) is not actual:
                    raise failed()
        return {"kind": kind.items, "items": [found.shown(grant) for grant in found.grants]}


def _get(kind: _Kind, call: Call) -> Resource:
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(kind, call, depot)
        return found.shown(found.find(_entity(call, call["entity"])))


def _insert(kind: _Kind, call: Call) -> Resource:
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(kind, call, depot)
        entity = _entity(call, call.body.get("entity"))
        found.write(entity, call.body.get("role", ""))
        return found.shown(found.find(entity))


def _change(kind: _Kind, call: Call) -> Resource:
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(kind, call, depot)
        entity = _entity(call, call["entity"])
        if call.http_method == "PATCH":
            found.find(entity)
        found.write(entity, call.body.get("role", ""))
        return found.shown(found.find(entity))


def _delete(kind: _Kind, call: Call) -> None:
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(kind, call, depot)
        entity = _entity(call, call["entity"])
        found.find(entity)
        found.write(entity, None)


def _entity(call: Call, text: Any) -> str:
    return acls.normal(text, number=call.cloud.number)


# An object's list as its policy


def object_policy(call: Call) -> Resource:
    """Show an object's list as a policy of legacy roles."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        return _as_policy(_Open(_OBJECT, call, depot))


def set_object_policy(call: Call) -> Resource:
    """Replace an object's list by the legacy roles of a policy; other roles need the bucket."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        found = _Open(_OBJECT, call, depot)
        sent = call.body.get("etag")
        if sent and sent != (found.entry or found.bucket).etag:
            raise failed()
        for binding in call.body.get("bindings", []):
            if binding.get("role") not in acls.OBJECT_ROLES.values() or binding.get("condition"):
                message = f"Role {binding.get('role')} is not supported for this resource."
                raise ApiError(400, message, reason="invalid")
        grants = acls.from_policy(call.body, acls.OBJECT_ROLES, call.cloud.number)
        checked = acls.checked(grants, roles=acls.OBJECT_ROLES, number=call.cloud.number)
        _OBJECT.save(call, depot, found.bucket, found.entry, checked)
        return _as_policy(_Open(_OBJECT, call, depot))


def test_object(call: Call) -> Resource:
    """Say which of the permissions named the caller has on an object."""
    depot = depot_of(call.cloud)
    bucket = shelf.fetch_bucket(depot, call["bucket"])
    shelf.fetch_entry(depot, bucket, call["object"], call.get("generation"))
    asked = call.get("permissions") or []
    mine = held(call, asked).get("permissions", [])
    mine += [each for each in asked if each not in mine and by_list()(call, each)]
    answer: Resource = {"kind": "storage#testIamPermissionsResponse"}
    return answer | ({"permissions": mine} if mine else {})


def _as_policy(found: _Open) -> Resource:
    entry = found.entry or found.bucket
    return {
        "kind": "storage#policy",
        "resourceId": names.resource_name(found.bucket.name, entry.name),
        "version": 1,
        "etag": entry.etag,
        "bindings": acls.to_bindings(found.grants, acls.OBJECT_ROLES, found.call.cloud.project),
    }


def methods() -> dict[str, tuple[Callable[[Call], Any], str, bool]]:
    """Give by method id the handler, its permission, and whether it answers without a body."""
    found: dict[str, tuple[Callable[[Call], Any], str, bool]] = {}
    for kind, prefix, level in (
        (_BUCKET, "storage.bucketAccessControls", "buckets"),
        (_DEFAULT, "storage.defaultObjectAccessControls", "buckets"),
        (_OBJECT, "storage.objectAccessControls", "objects"),
    ):
        for verb, (handler, action) in _VERBS.items():

            def answer(call: Call, *, kind: _Kind = kind, handler: Any = handler) -> Any:
                return handler(kind, call)

            permission = f"storage.{level}.{action}"
            found[f"{prefix}.{verb}"] = (answer, permission, verb == "delete")
    return found


_VERBS: dict[str, tuple[Callable[[_Kind, Call], Any], str]] = {
    "list": (_list, "getIamPolicy"),
    "get": (_get, "getIamPolicy"),
    "insert": (_insert, "setIamPolicy"),
    "patch": (_change, "setIamPolicy"),
    "update": (_change, "setIamPolicy"),
    "delete": (_delete, "setIamPolicy"),
}
