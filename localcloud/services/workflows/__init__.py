"""Workflows: sources, their revisions, and the operations that deploy them."""

from __future__ import annotations

import re
import secrets
from typing import Any

from localcloud.errors import already_exists, invalid, not_found
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import Call, Needs, Resource, Service, page
from localcloud.services.workflows.checks import check_deployment
from localcloud.services.workflows.sorting import ordered

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/workflows/[^/]+")
_LOCATION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_ID = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_REVISING = ("sourceContents", "serviceAccount", "userEnvVars")
_CHANGEABLE = (
    *_REVISING,
    "description",
    "labels",
    "callLogLevel",
    "executionHistoryLevel",
    "cryptoKeyName",
)
_ORDER = ("name", "createTime", "updateTime", "revisionCreateTime", "state")
_TYPE = "google.cloud.workflows.v1.Workflow"
_PREFIX = "workflows.projects.locations."


def workflow_name(call: Call) -> str:
    """Find what a call is about, with the project ID in its name."""
    return call.cloud.by_id(str(call.get("name") or call["parent"]))


def create(call: Call) -> Resource:
    """Deploy a new workflow; one that is there already ends the operation with an error."""
    workflow_id = call.get("workflowId") or ""
    if not _ID.fullmatch(workflow_id):
        raise invalid(
            f"workflow ID {workflow_id!r} must begin with a letter, end with a letter or a digit "
            "and hold at most 64 letters, digits, underscores and hyphens"
        )
    parent = workflow_name(call)
    _check_location(parent)
    name = f"{parent}/workflows/{workflow_id}"
    wanted = check_deployment(
        call, {key: call.body[key] for key in _CHANGEABLE if key in call.body}
    )

    def work() -> Resource:
        with call.cloud.store.lock():
            if call.store.find(name) is not None:
                raise already_exists(f"Resource '{name}' already exists")
            return _deploy(call, name, {**wanted, "name": name, "createTime": call.now})

    return _operation(call, name, "create", work)


def get(call: Call) -> Resource:
    """Show a workflow, or one of its revisions."""
    found = _workflow(call)
    revision = call.get("revisionId")
    if revision is None or revision == found["revisionId"]:
        return found
    name = f"{found['name']}/revisions/{revision}"
    older: Resource | None = _revisions(call).find(name)
    if older is None:
        raise not_found(f"Resource '{found['name']}@{revision}' was not found")
    return older


def list_workflows(call: Call) -> Resource:
    """List workflows."""
    found = call.store.children(f"{workflow_name(call)}/workflows/")
    items = ordered(
        filtered(found, call.get("filter")), call.get("orderBy"), _ORDER, default="name"
    )
    return page(call, items, "workflows", default=500)


def list_revisions(call: Call) -> Resource:
    """List the revisions of a workflow, newest first."""
    found = _workflow(call)
    items = _revisions(call).children(f"{found['name']}/revisions/")
    return page(call, items[::-1], "workflows", default=20, most=100)


def patch(call: Call) -> Resource:
    """Deploy a change; a new source, account or environment makes a new revision."""
    current = _workflow(call)
    mask = call.mask() or [key for key in _CHANGEABLE if key in call.body]
    for path in mask:
        if path.partition(".")[0] not in _CHANGEABLE:
            raise invalid(f"field {path!r} of update_mask cannot be changed or does not exist")
    if not mask:
        raise invalid("nothing to update: update_mask and workflow are empty")
    changed = merged(current, call.body, mask)
    wanted = check_deployment(call, {key: changed[key] for key in _CHANGEABLE if key in changed})
    name = current["name"]

    def work() -> Resource:
        with call.cloud.store.lock():
            now = _workflow(call)
            kept = {key: value for key, value in now.items() if key not in _CHANGEABLE}
            return _deploy(call, name, {**kept, **wanted}, before=now)

    return _operation(call, name, "update", work)


def delete(call: Call) -> Resource:
    """Remove a workflow with its executions; running ones are cancelled."""
    name = _workflow(call)["name"]

    def work() -> Resource:
        from localcloud.services.workflowexecutions.runner import runner_of

        runner_of(call.cloud).forget_workflow(name)
        with call.cloud.store.lock():
            if call.store.find(name) is not None:
                call.store.delete(name)
            revisions = _revisions(call)
            for key, _ in revisions.under(name + "/"):
                revisions.delete(key)
        return {}

    return _operation(call, name, "delete", work, response=None)


def _deploy(call: Call, name: str, workflow: Resource, before: Resource | None = None) -> Resource:
    now = call.now
    workflow["state"] = "ACTIVE"
    workflow["updateTime"] = now
    if before is None or any(workflow.get(key) != before.get(key) for key in _REVISING):
        number = call.store.next_number(f"{name}@{workflow['createTime']}")
        workflow["revisionId"] = f"{number:06d}-{secrets.token_hex(2)[:3]}"
        workflow["revisionCreateTime"] = now
    _revisions(call).put(f"{name}/revisions/{workflow['revisionId']}", workflow)
    return call.store.put(name, workflow)


def _operation(
    call: Call, target: str, verb: str, work: Any, response: str | None = _TYPE
) -> Resource:
    location = "/".join(target.split("/")[:4])
    started = call.cloud.operations.start(
        call,
        name=f"{location}/operations/operation-{secrets.token_hex(12)}",
        work=work,
        metadata={
            "@type": "type.googleapis.com/google.cloud.workflows.v1.OperationMetadata",
            "createTime": call.now,
            "endTime": "",
            "target": target,
            "verb": verb,
            "apiVersion": "v1",
        },
        response_type=response,
    )
    return _shown(started)


def _workflow(call: Call) -> Resource:
    name = workflow_name(call)
    found = call.store.find(name) if _NAME.fullmatch(name) else None
    if found is None:
        raise not_found(f"Resource '{name}' was not found")
    return found


def _revisions(call: Call) -> Any:
    return call.cloud.store.of("workflows.revisions")


def _check_location(parent: str) -> None:
    location = parent.rpartition("/")[2]
    if not _LOCATION.fullmatch(location):
        raise not_found(f"Location {location} is not found or access is unauthorized.")


# -- operations and locations ----------------------------------------------------------------


def get_operation(call: Call) -> Resource:
    """Show an operation."""
    return _shown(call.store.fetch(workflow_name(call)))


def list_operations(call: Call) -> Resource:
    """List the operations of a location."""
    found = call.store.children(f"{workflow_name(call)}/operations/")
    items = [_shown(item) for item in filtered(found, call.get("filter"))]
    return page(call, items, "operations")


def delete_operation(call: Call) -> None:
    """Forget an operation; what it does goes on."""
    call.store.delete(workflow_name(call))


def _shown(operation: Resource) -> Resource:
    metadata = operation.get("metadata", {})
    if metadata.get("endTime") == "":
        del metadata["endTime"]
    return operation


def get_location(call: Call) -> Resource:
    """Show a location."""
    name = workflow_name(call)
    _check_location(name)
    return {"name": name, "locationId": name.rpartition("/")[2]}


def list_locations(call: Call) -> Resource:
    """List the location of the project."""
    region = call.cloud.region
    name = f"{workflow_name(call)}/locations/{region}"
    return page(call, [{"name": name, "locationId": region}], "locations")


_HANDLERS: dict[str, tuple[Any, str]] = {
    "workflows.create": (create, "workflows.workflows.create"),
    "workflows.get": (get, "workflows.workflows.get"),
    "workflows.list": (list_workflows, "workflows.workflows.list"),
    "workflows.listRevisions": (list_revisions, "workflows.workflows.listRevision"),
    "workflows.patch": (patch, "workflows.workflows.update"),
    "workflows.delete": (delete, "workflows.workflows.delete"),
    "operations.get": (get_operation, "workflows.operations.get"),
    "operations.list": (list_operations, "workflows.operations.list"),
    "operations.delete": (delete_operation, "workflows.operations.cancel"),
    "get": (get_location, "workflows.locations.get"),
    "list": (list_locations, "workflows.locations.list"),
}

SERVICE = Service(
    "workflows",
    "v1",
    {_PREFIX + method: handler for method, (handler, _) in _HANDLERS.items()},
    permissions={_PREFIX + method: Needs(needed) for method, (_, needed) in _HANDLERS.items()},
    required={_PREFIX + "workflows.create": ("sourceContents",)},
    resource=workflow_name,
)
