"""The operations that deploy workflows, and the places where workflows can be."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, not_found
from localcloud.listing import filtered
from localcloud.service import Call, Resource, page

if TYPE_CHECKING:
    from collections.abc import Callable

_LOCATION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_OPERATION = re.compile(r"projects/[^/]+/locations/[^/]+/operations/[^/]+")


def workflow_name(call: Call) -> str:
    """Find what a call is about, with the project ID in its name."""
    return call.cloud.by_id(str(call.get("name") or call["parent"]))


def check_location(parent: str) -> None:
    """Refuse a place that no region is called."""
    location = parent.rpartition("/")[2]
    if not _LOCATION.fullmatch(location):
        raise not_found(f"Location {location} is not found or access is unauthorized.")


def start(
    call: Call, target: str, verb: str, work: Callable[[], Resource], *, gives: bool = True
) -> Resource:
    """Begin an operation on a workflow; it ends with the workflow, or with nothing."""
    location = "/".join(target.split("/")[:4])
    version = call.service.version
    kind = f"google.cloud.workflows.{version}"
    started = call.cloud.operations.start(
        call,
        name=f"{location}/operations/operation-{secrets.token_hex(12)}",
        work=work,
        metadata={
            "@type": f"type.googleapis.com/{kind}.OperationMetadata",
            "createTime": call.now,
            "endTime": "",
            "target": target,
            "verb": verb,
            "apiVersion": version,
        },
        response_type=f"{kind}.Workflow" if gives else None,
    )
    return _shown(started)


def get_operation(call: Call) -> Resource:
    """Show an operation."""
    name = workflow_name(call)
    found = call.store.find(name) if _OPERATION.fullmatch(name) else None
    if found is None:
        raise not_found(f"Resource '{name}' was not found")
    return _shown(found)


def list_operations(call: Call) -> Resource:
    """List the operations of a location."""
    if call.get("returnPartialSuccess"):
        raise ApiError(501, "Operation is not implemented: return_partial_success")
    found = call.store.children(f"{workflow_name(call)}/operations/")
    items = [_shown(item) for item in filtered(found, call.get("filter"))]
    return page(call, items, "operations")


def delete_operation(call: Call) -> None:
    """Forget an operation; what it does goes on."""
    get_operation(call)
    call.store.delete(workflow_name(call))


def _shown(operation: Resource) -> Resource:
    metadata: dict[str, Any] = operation.get("metadata", {})
    if metadata.get("endTime") == "":
        del metadata["endTime"]
    return operation


def get_location(call: Call) -> Resource:
    """Show a location."""
    name = workflow_name(call)
    check_location(name)
    return {"name": name, "locationId": name.rpartition("/")[2]}


def list_locations(call: Call) -> Resource:
    """List the location of the project."""
    region = call.cloud.region
    name = f"{workflow_name(call)}/locations/{region}"
    return page(call, [{"name": name, "locationId": region}], "locations")
