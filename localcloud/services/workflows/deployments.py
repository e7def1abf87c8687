"""Deploying workflows: creating, changing and removing them, and the revisions they leave."""

from __future__ import annotations

import re
import secrets
from typing import Any

from localcloud.documents.answers import AnswerError
from localcloud.documents.discovery import document
from localcloud.errors import ApiError, already_exists, invalid, not_found
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import Call, Resource, page
from localcloud.services.workflows.checks import check_deployment, stated
from localcloud.services.workflows.filters import Readers, as_time, one_of
from localcloud.services.workflows.operations import check_location, start, workflow_name
from localcloud.services.workflows.sorting import ordered

WORKFLOWS = 10_000
"""How many workflows a project may have, unless ``cloud.quotas`` says otherwise."""

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/workflows/[^/]+")
_ID = re.compile(r"[A-Za-z]([A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_REVISING = ("sourceContents", "serviceAccount", "userEnvVars", "cryptoKeyName")
_CHANGEABLE = (
    *_REVISING,
    "description",
    "labels",
    "callLogLevel",
    "executionHistoryLevel",
)
_MAPS = ("labels", "userEnvVars")
_ORDER = ("name", "createTime", "updateTime", "revisionCreateTime", "state")
_FILTERS: Readers = {
    "name": str,
    "description": str,
    "state": one_of("STATE_UNSPECIFIED", "ACTIVE", "UNAVAILABLE"),
    "revisionId": str,
    "createTime": as_time,
    "updateTime": as_time,
    "revisionCreateTime": as_time,
    "labels": str,
    "serviceAccount": str,
    "callLogLevel": str,
    "executionHistoryLevel": str,
}


def create(call: Call) -> Resource:
    """Deploy a new workflow; one that is there already ends the operation with an error."""
    workflow_id = call.get("workflowId") or ""
    if not _ID.fullmatch(workflow_id):
        raise invalid(
            f"workflow ID {workflow_id!r} must begin with a letter, end with a letter or a digit "
            "and hold at most 64 letters, digits, underscores and hyphens"
        )
    parent = workflow_name(call)
    check_location(parent)
    name = f"{parent}/workflows/{workflow_id}"
    wanted = check_deployment(call, stated(call.body, _CHANGEABLE))
    if call.body.get("tags"):
        raise invalid("tags: there are no tag keys and values in this project")

    def work() -> Resource:
        with call.cloud.store.lock():
            if call.store.find(name) is not None:
                raise already_exists(f"Resource '{name}' already exists")
            _check_room(call, parent)
            return _deploy(call, name, {**wanted, "name": name, "createTime": call.now})

    return start(call, name, "create", work)


def _check_room(call: Call, parent: str) -> None:
    most = call.cloud.quotas.get("workflows.workflows", WORKFLOWS)
    project = "/".join(parent.split("/")[:2])
    ((found,),) = call.cloud.store.read(
        "select count(*) from resources where api = ? and name glob ?",
        "workflows",
        f"{project}/locations/*/workflows/*",
    )
    if found >= most:
        raise ApiError(
            429,
            "Quota exceeded for quota metric 'Workflows' and limit 'Workflows per project' of "
            f"service '{call.service.host}' for consumer 'project_number:{call.cloud.number}'.",
        )


def get(call: Call) -> Resource:
    """Show a workflow, or one of its revisions."""
    found = _workflow(call)
    revision = call.get("revisionId")
    if not revision or revision == found["revisionId"]:
        return shown(call, found)
    older: Resource | None = _revisions(call).find(f"{found['name']}/revisions/{revision}")
    if older is None:
        raise not_found(f"Resource '{found['name']}@{revision}' was not found")
    return shown(call, older)


def list_workflows(call: Call) -> Resource:
    """List the workflows of a location, or with ``-`` those of all locations."""
    parent = workflow_name(call)
    if parent.endswith("/locations/-"):
        under = call.store.under(parent.removesuffix("-"))
        found = [item for name, item in under if _NAME.fullmatch(name)]
    else:
        check_location(parent)
        found = call.store.children(f"{parent}/workflows/")
    kept = filtered(found, call.get("filter"), fields=_FILTERS)
    answer = page(
        call,
        ordered(kept, call.get("orderBy"), _ORDER, default="name"),
        "workflows",
        default=500,
    )
    if "workflows" in answer:
        answer["workflows"] = [shown(call, item) for item in answer["workflows"]]
    return answer


def list_revisions(call: Call) -> Resource:
    """List the revisions of a workflow, newest first."""
    found = _workflow(call)
    items = _revisions(call).children(f"{found['name']}/revisions/")
    return page(call, items[::-1], "workflows", default=20, most=100)


def patch(call: Call) -> Resource:
    """Deploy a change; a new source, account, key or environment makes a new revision."""
    current = _workflow(call)
    mask = call.mask() or [key for key in _CHANGEABLE if key in call.body]
    if mask == ["*"]:
        mask = list(_CHANGEABLE)
    for path in mask:
        field, *inner = path.split(".")
        if field not in _CHANGEABLE or (inner and (field not in _MAPS or len(inner) > 1)):
            raise invalid(f"field {path!r} of update_mask cannot be changed or does not exist")
    if not mask:
        raise invalid("nothing to update: update_mask and workflow are empty")
    _changed(call, current, mask)
    name = current["name"]

    def work() -> Resource:
        with call.cloud.store.lock():
            # Another update may have come in between: only what this one names is changed.
            now = _workflow(call)
            kept = {key: value for key, value in now.items() if key not in _CHANGEABLE}
            return _deploy(call, name, {**kept, **_changed(call, now, mask)}, before=now)

    return start(call, name, "update", work)


def _changed(call: Call, current: Resource, mask: list[str]) -> Resource:
    changed = merged(current, call.body, mask)
    return check_deployment(call, stated(changed, _CHANGEABLE))


def delete(call: Call) -> Resource:
    """Remove a workflow with its executions; running ones are cancelled."""
    name = _workflow(call)["name"]

    def work() -> Resource:
        from localcloud.services.workflowexecutions.runner import runner_of

        with call.cloud.store.lock():
            if call.store.find(name) is not None:
                call.store.delete(name)
            revisions = _revisions(call)
            for key, _ in revisions.under(name + "/"):
                revisions.delete(key)
        runner_of(call.cloud).forget_workflow(name)
        return {}

    return start(call, name, "delete", work, gives=False)


def shown(call: Call, workflow: Resource) -> Resource:
    """Give a workflow with the fields that this version of the API has."""
    schema = document(call.service.api, call.service.version).schemas.get("Workflow")
    if schema is None:
        raise AnswerError("the document has no Workflow")
    return {key: value for key, value in workflow.items() if key in schema["properties"]}


def _deploy(call: Call, name: str, workflow: Resource, before: Resource | None = None) -> Resource:
    now = call.now
    workflow["state"] = "ACTIVE"
    workflow["updateTime"] = now
    if before is None or any(workflow.get(key) != before.get(key) for key in _REVISING):
        number = call.store.next_number(f"{name}@{workflow['createTime']}")
        workflow["revisionId"] = f"{number:06d}-{secrets.token_hex(2)[:3]}"
        workflow["revisionCreateTime"] = now
    _revisions(call).put(f"{name}/revisions/{workflow['revisionId']}", workflow)
    return shown(call, call.store.put(name, workflow))


def _workflow(call: Call) -> Resource:
    name = workflow_name(call)
    found = call.store.find(name) if _NAME.fullmatch(name) else None
    if found is None:
        raise not_found(f"Resource '{name}' was not found")
    return found


def _revisions(call: Call) -> Any:
    return call.cloud.store.of("workflows.revisions")
