"""run.projects.locations.operations, and how the other handlers start one."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from localcloud.clock import VirtualClock
from localcloud.errors import not_found
from localcloud.service import page
from localcloud.services.run import templates

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call
    from localcloud.store import Resource

SERVICE = "google.cloud.run.v2.Service"
REVISION = "google.cloud.run.v2.Revision"
JOB = "google.cloud.run.v2.Job"
EXECUTION = "google.cloud.run.v2.Execution"

_LONGEST_WAIT = 60.0
_GLANCE_SECONDS = 0.1


def start(
    call: Call, resource: Resource, work: Callable[[], Resource | None], kind: str
) -> Resource:
    """Start the operation that changes *resource*."""
    return call.cloud.operations.start(
        call,
        name=_name(resource["name"]),
        metadata={"@type": f"type.googleapis.com/{kind}", **resource},
        work=work,
        response_type=kind,
    )


def finished(call: Call, name: str, resource: Resource, kind: str) -> Resource:
    """Return the operation of a dry run: done at once, and kept nowhere."""
    typed = {"@type": f"type.googleapis.com/{kind}", **resource}
    del call
    return {"name": _name(name), "done": True, "metadata": typed, "response": typed}


def _name(resource: str) -> str:
    return f"{'/'.join(resource.split('/')[:4])}/operations/{uuid.uuid4()}"


def get(call: Call) -> Resource:
    """Give an operation."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the operation a call is about; 404 if there is none."""
    name = call.cloud.by_id(call["name"])
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Requested entity was not found: operation {name.rpartition('/')[2]}")
    return found


def listed(call: Call) -> Resource:
    """List the operations of a region."""
    parent = call.cloud.by_id(call["name"])
    return page(call, call.store.children(f"{parent}/operations/"), "operations")


def delete(call: Call) -> Resource:
    """Forget an operation; what it does goes on."""
    fetch(call)
    call.store.delete(call.cloud.by_id(call["name"]))
    return {}


def wait(call: Call) -> Resource:
    """Give an operation when it is done or the timeout has passed, whichever is first."""
    operation = fetch(call)
    if isinstance(call.cloud.clock, VirtualClock):
        return operation  # nobody but the caller moves this clock
    wanted = templates.seconds(call.body.get("timeout", f"{_LONGEST_WAIT:g}s"))
    until = time.monotonic() + min(wanted, _LONGEST_WAIT)
    while not operation["done"] and time.monotonic() < until:
        time.sleep(_GLANCE_SECONDS)
        operation = fetch(call)
    return operation
