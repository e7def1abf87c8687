"""What the resources of Certificate Manager have in common.

The words of refusals rest on users' reports where the API's document has none.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from localcloud.errors import already_exists, invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

TYPE = "google.cloud.certificatemanager.v1"
DOMAIN = re.compile(
    r"(?=.{1,253}$)(\*\.)?([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z][-a-z0-9]{0,61}"
)
_ID = re.compile(r"[a-z]([-a-z0-9_]{0,61}[a-z0-9])?")
_PARAMETERS = {
    "dnsAuthorizations": "dnsAuthorizationId",
    "certificates": "certificateId",
    "certificateMaps": "certificateMapId",
    "certificateMapEntries": "certificateMapEntryId",
}
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def name_of(call: Call) -> str:
    """Return the resource a call is about, with the project's ID."""
    return call.cloud.by_id(str(call.get("name") or call["parent"]))


def project_of(call: Call) -> str:
    """Return the project a call is about: nothing here has policies of its own."""
    return "/".join(name_of(call).split("/")[:2])


def existing(call: Call) -> Resource:
    """Return the resource a call is about, or 404."""
    name = name_of(call)
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Resource '{name}' was not found")
    return found


def create(call: Call, collection: str, kind: str, body: Resource) -> Resource:
    """Begin to make a resource of some kind in a collection."""
    parameter = _PARAMETERS[collection]
    chosen = call.get(parameter) or ""
    if not _ID.fullmatch(chosen):
        raise invalid(
            f"Invalid resource ID in field '{parameter}': \"{chosen}\" does not match the pattern "
            f'"{_ID.pattern}".'
        )
    check_labels(body)
    if body.get("tags"):
        raise invalid("Tags are not supported by the local cloud.")
    parent = name_of(call)
    name = f"{parent}/{collection}/{chosen}"
    if call.store.find(name) is not None:
        raise already_exists(f"Resource '{name}' already exists")
    fresh = {**body, "name": name, "createTime": call.now, "updateTime": call.now}

    def work() -> Resource:
        with call.store.lock():
            if call.store.find(name) is not None:
                raise already_exists(f"Resource '{name}' already exists")
            made = call.store.create(name, fresh)
        call.cloud.issuance.consider()
        return made

    return operation(call, name, "create", work, f"{TYPE}.{kind}")


def get(call: Call) -> Resource:
    """Show a resource."""
    return existing(call)


def lister(collection: str) -> Callable[[Call], Resource]:
    """Return the method that lists a collection."""

    def list_all(call: Call) -> Resource:
        # the only location there is stands for all of them
        place = name_of(call).replace("/locations/-", "/locations/global")
        found = call.store.children(f"{place}/{collection}/")
        if call.get("orderBy") not in (None, "", "name"):
            raise invalid(f"Invalid orderBy '{call['orderBy']}': only name is supported here.")
        return page(call, filtered(found, call.get("filter")), collection)

    return list_all


def patch(
    call: Call, kind: str, changeable: frozenset[str], check: Callable[[Resource], None]
) -> Resource:
    """Begin to change those fields of a resource that can change."""
    present = existing(call)
    mask = call.mask()
    if not mask:
        raise invalid("Required field 'update_mask' is missing.")
    for path in mask:
        if path.partition(".")[0] not in changeable:
            raise invalid(f"Field '{path}' cannot be updated.")
    after = merged(present, call.body, mask)
    check_labels(after)
    check(after)
    name = name_of(call)

    def work() -> Resource:
        body = {path.partition(".")[0]: after.get(path.partition(".")[0]) for path in mask}
        kept = {field: value for field, value in body.items() if value is not None}
        changed = call.store.update(
            name,
            lambda found: {
                **{field: value for field, value in found.items() if field not in body},
                **kept,
                "updateTime": call.now,
            },
        )
        call.cloud.issuance.consider()
        return changed

    return operation(call, name, "update", work, f"{TYPE}.{kind}")


def delete(call: Call, used: Callable[[Call, str], str]) -> Resource:
    """Begin to delete a resource; ``used`` says why that cannot be, if it cannot."""
    existing(call)
    name = name_of(call)

    def check() -> None:
        why = used(call, name)
        if why:
            raise precondition(why)

    check()

    def work() -> None:
        with call.store.lock():
            check()
            call.store.delete(name)

    return operation(call, name, "delete", work, None)


def operation(
    call: Call,
    target: str,
    verb: str,
    work: Callable[[], Resource | None],
    response_type: str | None,
) -> Resource:
    """Start an operation of this API."""
    place = "/".join(target.split("/")[:4])
    return call.cloud.operations.start(
        call,
        name=f"{place}/operations/operation-{uuid.uuid4()}",
        work=work,
        metadata={
            "@type": f"type.googleapis.com/{TYPE}.OperationMetadata",
            "createTime": call.now,
            "target": target,
            "verb": verb,
            "requestedCancellation": False,
            "apiVersion": "v1",
        },
        response_type=response_type,
    )


def check_labels(body: Resource) -> None:
    """Refuse labels that are none."""
    for key, value in (body.get("labels") or {}).items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise invalid(f"Invalid label '{key}': '{value}'.")
