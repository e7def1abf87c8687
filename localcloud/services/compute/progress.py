"""Operations of Compute Engine: PENDING, RUNNING, DONE; and what is busy until then."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.compute import names
from localcloud.services.compute.listing import aggregated, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource
    from localcloud.store import Collection

_WAIT_SECONDS = 120.0
"""How long ``wait`` waits at most, as the document says."""

_FIRST_STEP, _LONGEST_STEP = 0.01, 1.0


def begin(call: Call, kind: str, key: str, work: Callable[[], Resource | None]) -> Resource:
    """Start an operation on a resource, which is busy until it ends.

    A request whose ``requestId`` was seen before begins nothing: it gets the first operation.
    """
    scope = names.place(call)
    moment = f"{call.cloud.clock.now():.6f}".replace(".", "")
    serial = call.store.next_number("operations")
    digest = hashlib.sha256(f"{key}\0{kind}\0{moment}\0{serial}".encode()).hexdigest()
    name = f"operation-{moment[:13]}-{digest[:13]}-{digest[13:21]}-{digest[21:29]}"
    place = f"{scope}/operations/{name}"
    fields: Resource = {
        "id": names.number(place),
        "operationType": kind,
        "targetLink": names.link(key),
        "targetId": names.number(key),
        "selfLink": names.link(place),
    }
    if call.get("region") is not None:
        fields["region"] = names.link(scope)
    if call.get("requestId"):
        fields["clientOperationId"] = call["requestId"]
    with call.store.lock():
        check_ready(call, key)
        _busy(call).put(key, {"operation": place})
        if call.get("requestId"):
            _requests(call).put(_request(call), {"operation": place})
        return call.cloud.operations.start(
            call, name=place, dialect="compute", work=work, fields=fields
        )


def repeated(call: Call) -> Resource | None:
    """Return the operation that a request with the same ``requestId`` has begun."""
    wanted = call.get("requestId")
    if not wanted:
        return None
    try:
        value = uuid.UUID(str(wanted)).int
    except ValueError:
        value = 0
    if value == 0:
        raise names.wrong("requestId", wanted, "Must be a non-zero UUID.")
    seen = _requests(call).find(_request(call))
    found = call.store.find(seen["operation"]) if seen else None
    return None if found is None else _shown(found)


def check_ready(call: Call, key: str) -> None:
    """Refuse a resource that another operation is at work on."""
    if under_way(call, key):
        raise names.not_ready(key)


def under_way(call: Call, key: str) -> bool:
    """Tell whether an operation on a resource has not ended."""
    latest = _busy(call).find(key)
    found = call.store.find(latest["operation"]) if latest else None
    return found is not None and found["status"] != "DONE"


def get(call: Call) -> Resource:
    """Show an operation."""
    key = _key(call)
    found = call.store.find(key)
    if found is None:
        raise names.unknown(key)
    return _shown(found)


def wait(call: Call) -> Resource:
    """Return when the operation has ended, or two minutes have passed."""
    clock = call.cloud.clock
    until, step = clock.now() + _WAIT_SECONDS, _FIRST_STEP
    while (found := get(call))["status"] != "DONE" and clock.now() < until:
        clock.pause(step)
        step = min(step * 1.5, _LONGEST_STEP)
    return found


def list_operations(call: Call) -> Resource:
    """List the operations of a scope."""
    scope = names.place(call)
    found = [_shown(one) for one in call.store.children(f"{scope}/operations/")]
    return listed(call, found, "compute#operationList", f"{scope}/operations")


def list_scopes(call: Call) -> Resource:
    """List the operations of every scope."""
    found = [
        _shown(one)
        for key, one in call.store.under(f"{names.project(call)}/")
        if key.split("/")[-2] == "operations"
    ]
    return aggregated(call, found, "compute#operationAggregatedList", "operations")


def delete(call: Call) -> None:
    """Forget an operation that has ended."""
    if get(call)["status"] != "DONE":
        raise ApiError(400, "The operation is still running.", reason="resourceNotReady")
    call.store.delete(_key(call))


def _shown(stored: Resource) -> Resource:
    # Begun operations are at work by the time anybody asks again.
    if stored["status"] == "DONE":
        return stored
    return {**stored, "status": "RUNNING", "progress": 50}


def _key(call: Call) -> str:
    return f"{names.place(call)}/operations/{call['operation']}"


def _request(call: Call) -> str:
    return f"{names.project(call)}/{call.method}/{call['requestId']}"


def _busy(call: Call) -> Collection:
    return call.cloud.store.of("compute.busy")


def _requests(call: Call) -> Collection:
    return call.cloud.store.of("compute.requests")
