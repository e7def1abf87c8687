"""The life of executions as callers see it: start, look, stop, export."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from localcloud.documents.discovery import document
from localcloud.errors import ApiError, invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.service import Call, Resource, page
from localcloud.services.workflowexecutions import entries
from localcloud.services.workflowexecutions.records import CALLBACKS, drop_all, outlived
from localcloud.services.workflowexecutions.runner import runner_of
from localcloud.services.workflows.checks import check_labels, stated
from localcloud.services.workflows.filters import Readers, as_seconds, as_time, one_of
from localcloud.services.workflows.sorting import ordered
from localcloud.workflows import limits
from localcloud.workflows.api_calls.http_calls import USER_AGENT
from localcloud.workflows.values import from_json

_NAME = re.compile(r"projects/[^/]+/locations/[^/]+/workflows/[^/]+/executions/[^/]+")
_BASIC = ("name", "createTime", "startTime", "endTime", "duration", "state", "workflowRevisionId")
_ORDER = (
    "executionId",
    "state",
    "createTime",
    "startTime",
    "endTime",
    "duration",
    "workflowRevisionId",
)
_STATES = ("ACTIVE", "SUCCEEDED", "FAILED", "CANCELLED", "UNAVAILABLE", "QUEUED")
_FILTERS: Readers = {
    "executionId": str,
    "state": one_of("STATE_UNSPECIFIED", *_STATES),
    "createTime": as_time,
    "startTime": as_time,
    "endTime": as_time,
    "duration": as_seconds,
    "workflowRevisionId": str,
    "stepName": str,
    "label": str,
    "labels": str,
    "disableConcurrencyQuotaOverflowBuffering": one_of("true", "false"),
}
_SETTABLE = (
    "argument",
    "callLogLevel",
    "labels",
    "executionHistoryLevel",
    "disableConcurrencyQuotaOverflowBuffering",
)


def execution_name(call: Call) -> str:
    """Find what a call is about, with the project ID in its name."""
    return call.cloud.by_id(str(call.get("name") or call.get("workflow") or call["parent"]))


def create(call: Call) -> Resource:
    """Start an execution, or queue it while too many run."""
    wanted = stated(call.body, _SETTABLE)
    # What a workflow starts is never queued: its connector would wait for it and hold its own place.
    if call.headers.get("user-agent", "").endswith(USER_AGENT):
        return begin(call, wanted, may_queue=False)
    return begin(
        call, wanted, may_queue=not wanted.get("disableConcurrencyQuotaOverflowBuffering", False)
    )


def begin(call: Call, wanted: Resource, *, may_queue: bool) -> Resource:
    """Start an execution of the latest revision of a workflow."""
    workflow_name = execution_name(call)
    workflow = call.cloud.store.of("workflows").find(workflow_name)
    if workflow is None:
        raise not_found(f"Resource '{workflow_name}' was not found")
    _check_argument(wanted.get("argument"))
    labels = {**workflow.get("labels", {}), **wanted.get("labels", {})}
    check_labels(labels)
    runner = runner_of(call.cloud)
    with call.cloud.store.lock():
        full = runner.places.full(workflow_name)
        if full and (not may_queue or runner.places.queue_full(workflow_name)):
            raise ApiError(
                429,
                "Quota exceeded for quota metric 'Concurrent executions' and limit 'Concurrent "
                f"executions per region' of service '{call.service.host}' for consumer "
                f"'project_number:{call.cloud.number}'.",
            )
        key = f"{workflow_name}/executions/{uuid.uuid4()}"
        execution = {
            # the service shows no argument as the JSON text null
            "argument": "null",
            **wanted,
            **({"labels": labels} if labels else {}),
            "name": call.cloud.by_number(key),
            "createTime": call.now,
            "state": "QUEUED" if full else "ACTIVE",
            "workflowRevisionId": workflow["revisionId"],
        }
        if not full:
            execution["startTime"] = execution["createTime"]
        created = call.store.create(key, execution)
        (runner.places.wait if full else runner.places.take)(key)
    if not full:
        runner.start(key, created)
    return _viewed(call, created, default="FULL", live=False)


def get(call: Call) -> Resource:
    """Show an execution; one that runs shows where it is."""
    return _viewed(call, _execution(call), default="FULL")


def list_executions(call: Call) -> Resource:
    """List the executions of a workflow, newest first unless asked otherwise."""
    workflow = execution_name(call)
    if workflow.endswith("/workflows/-"):
        under = call.store.under(workflow.removesuffix("-"))
        stored = [item for name, item in under if _NAME.fullmatch(name)]
    else:
        if call.cloud.store.of("workflows").find(workflow) is None:
            raise not_found(f"Resource '{workflow}' was not found")
        stored = call.store.children(workflow + "/executions/")
    found = [_augmented(call, item) for item in stored if not outlived(call.cloud, item)]
    kept = ordered(
        filtered(found[::-1], call.get("filter"), fields=_FILTERS),
        call.get("orderBy"),
        _ORDER,
        default="createTime desc",
    )
    most = 100 if call.get("view") == "FULL" else 1000
    answer = page(call, kept, "executions", default=100, most=most)
    if "executions" in answer:
        shown = [_viewed(call, item["_stored"], default="BASIC") for item in answer["executions"]]
        answer["executions"] = shown
    return answer


def cancel(call: Call) -> Resource:
    """Stop an execution that has not ended."""
    execution = _execution(call)
    if execution["state"] not in ("ACTIVE", "QUEUED"):
        raise precondition(f"Execution {execution['name']} is not active: {execution['state']}")
    runner_of(call.cloud).cancel(execution_name(call))
    return _viewed(call, _execution(call), default="FULL")


def delete_history(call: Call) -> None:
    """Forget the step entries of an execution that has ended."""
    execution = _execution(call)
    if execution["state"] in ("ACTIVE", "QUEUED"):
        raise precondition(f"Execution {execution['name']} is still active")
    entries.forget(call.cloud, execution_name(call))


def export_data(call: Call) -> Resource:
    """Give what is stored about an execution and no other method shows, as JSON text."""
    execution = _execution(call)
    key = execution_name(call)
    steps = execution.get("_billed") or runner_of(call.cloud).billed(key)
    callbacks = call.cloud.store.of(CALLBACKS).under(key + "/callbacks/")
    names = ("name", "createTime", "startTime", "endTime", "state", "labels", "workflowRevisionId")
    data = {
        "execution": {name: execution[name] for name in names if name in execution},
        "billedSteps": steps,
        "stepEntries": len(entries.read(call.cloud, key)),
        "callbacks": [call.cloud.by_number(name) for name, _ in callbacks],
    }
    return {"data": json.dumps(data, ensure_ascii=False)}


def _execution(call: Call) -> Resource:
    name = execution_name(call)
    found = call.store.find(name) if _NAME.fullmatch(name) else None
    if found is not None and outlived(call.cloud, found):
        drop_all(call.cloud, name)
        found = None
    if found is None:
        raise not_found(f"Resource '{call.cloud.by_number(name)}' was not found")
    return found


def _viewed(call: Call, execution: Resource, *, default: str, live: bool = True) -> Resource:
    """Give an execution with the fields of the view, as far as this version of the API has them."""
    view = call.get("view") or default
    if view == "EXECUTION_VIEW_UNSPECIFIED":
        view = default
    shown = runner_of(call.cloud).with_progress(execution) if live else execution
    known = document(call.service.api, call.service.version).schemas["Execution"]["properties"]
    fields = _BASIC if view == "BASIC" else tuple(shown)
    return {
        key: shown[key]
        for key in fields
        # v1beta has no LOG_NONE, which v1 has
        if key in shown and key in known and shown[key] in known[key].get("enum", [shown[key]])
    }


def _augmented(call: Call, execution: Resource) -> Resource:
    """Give an execution as filters and orders see it."""
    current = runner_of(call.cloud).with_progress(execution)
    steps = current.get("status", {}).get("currentSteps", [])
    return {
        **current,
        "_stored": execution,
        "executionId": execution["name"].rpartition("/")[2],
        "stepName": [step["step"] for step in steps],
        "label": execution.get("labels", {}),
        "duration": float(current.get("duration", "0s").removesuffix("s")),
        "disableConcurrencyQuotaOverflowBuffering": execution.get(
            "disableConcurrencyQuotaOverflowBuffering", False
        ),
    }


def _check_argument(argument: Any) -> None:
    if argument is None:
        return
    if len(argument.encode()) > limits.ARGUMENT_BYTES:
        raise invalid(f"argument is larger than {limits.ARGUMENT_BYTES} bytes")
    try:
        from_json(argument)
    except (ValueError, json.JSONDecodeError) as error:
        raise invalid(f"argument is not valid JSON: {error}") from error
