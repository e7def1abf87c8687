"""Operations of Cloud SQL: one at a time per instance, and what an unfinished one means."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.service import page
from localcloud.services.sqladmin.names import ROOT, instance_key, invalid_request, project

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource
    from localcloud.store import Collection

BUSY = "Operation failed because another operation was already in progress."


def begin(
    call: Call,
    kind: str,
    work: Callable[[], object],
    *,
    instance: str | None = None,
    fields: Resource | None = None,
    also: str | None = None,
    begun: Callable[[], object] | None = None,
) -> Resource:
    """Start the operation, unless the instance has one that is not done.

    Args:
        call: the call it answers.
        kind: the operation's type.
        work: what it does.
        instance: which instance, if the call names another or none.
        fields: further fields of the operation.
        also: the key of a second instance that is busy meanwhile.
        begun: what to record at once, if it may start.
    """
    key = f"{project(call)}/instances/{instance}" if instance else instance_key(call)
    target = key.rpartition("/")[2]
    busy = [key] if also is None else [key, also]
    with call.store.lock():
        if any(under_way(call, one) is not None for one in busy):
            raise ApiError(409, BUSY, reason="operationInProgress")
        if begun is not None:
            begun()
        name = str(uuid.uuid4())
        place = f"{project(call)}/operations/{name}"

        def run() -> None:
            work()

        started = call.cloud.operations.start(
            call,
            name=place,
            dialect="sql",
            work=run,
            fields={
                "operationType": kind,
                "targetId": target,
                "targetProject": project(call).partition("/")[2],
                "targetLink": f"{ROOT}/{key}",
                "selfLink": f"{ROOT}/{place}",
                **(fields or {}),
            },
        )
        for one in busy:
            _latest(call).put(one, {"operation": place})
    return started


def under_way(call: Call, key: str) -> Resource | None:
    """Return the instance's operation that is not done, if there is one."""
    latest = _latest(call).find(key)
    operation = call.store.find(latest["operation"]) if latest else None
    return operation if operation is not None and operation["status"] != "DONE" else None


def get(call: Call) -> Resource:
    """Show an operation."""
    found = call.store.find(f"{project(call)}/operations/{call['operation']}")
    if found is None:
        raise ApiError(
            404, "The Cloud SQL operation does not exist.", reason="operationDoesNotExist"
        )
    return found


def cancel(call: Call) -> Resource:
    """Refuse: only imports and exports can be cancelled, and here nothing stops one midway."""
    found = get(call)
    if found["status"] == "DONE":
        raise invalid_request("the operation is done and cannot be cancelled.", "invalidState")
    if found["operationType"] not in {"IMPORT", "EXPORT"}:
        raise invalid_request(
            f"an operation of type {found['operationType']} cannot be cancelled.", "invalidState"
        )
    raise ApiError(501, "The local cloud cannot cancel an import or export that has begun.")


def list_operations(call: Call) -> Resource:
    """List operations, newest first, of one instance if it is named."""
    found = list(reversed(call.store.children(f"{project(call)}/operations/")))
    wanted = call.get("instance")
    if wanted is not None:
        found = [one for one in found if one["targetId"] == wanted]
    answer = page(call, found, "items", size_param="maxResults")
    return {"kind": "sql#operationsList", **answer}


def _latest(call: Call) -> Collection:
    return call.cloud.store.of("sqladmin.latest")
