"""Workflow executions: start them, look at them, stop them, and call back into them."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

from google.cloud.workflows.executions_v1 import types

from localcloud.errors import ApiError, invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.service import Call, Needs, Resource, Service, page
from localcloud.services.workflowexecutions import callbacks, entries
from localcloud.services.workflowexecutions.runner import on_start, on_stop, runner_of
from localcloud.services.workflows.checks import check_labels
from localcloud.services.workflows.sorting import ordered
from localcloud.workflows import limits
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
_SETTABLE = (
    "argument",
    "callLogLevel",
    "labels",
    "executionHistoryLevel",
    "disableConcurrencyQuotaOverflowBuffering",
)
_SECONDS = re.compile(r"(duration\s*(?:<=|>=|!=|=|<|>)\s*)\"?([0-9.]+)s\"?")
_PREFIX = "workflowexecutions.projects.locations.workflows.executions."
_GRPC = "/google.cloud.workflows.executions.v1.Executions/"


def execution_name(call: Call) -> str:
    """Find what a call is about, with the project ID in its name."""
    return call.cloud.by_id(str(call.get("name") or call["parent"]))


def create(call: Call) -> Resource:
    """Start an execution, or queue it while too many run."""
    workflow_name = execution_name(call)
    workflow = call.cloud.store.of("workflows").find(workflow_name)
    if workflow is None:
        raise not_found(f"Resource '{workflow_name}' was not found")
    _check_argument(call.body.get("argument"))
    check_labels(call.body.get("labels", {}))
    runner = runner_of(call.cloud)
    wanted = {key: call.body[key] for key in _SETTABLE if key in call.body}
    with call.cloud.store.lock():
        full = runner.full(workflow_name)
        if full and wanted.get("disableConcurrencyQuotaOverflowBuffering"):
            raise ApiError(
                429,
                "Quota exceeded for quota metric 'Concurrent executions' of service "
                "'workflowexecutions.googleapis.com'.",
            )
        key = f"{workflow_name}/executions/{uuid.uuid4()}"
        execution = {
            # the service shows no argument as the JSON text null
            "argument": "null",
            **wanted,
            "name": call.cloud.by_number(key),
            "createTime": call.now,
            "state": "QUEUED" if full else "ACTIVE",
            "workflowRevisionId": workflow["revisionId"],
        }
        if not full:
            execution["startTime"] = execution["createTime"]
        created = call.store.create(key, execution)
    if full:
        runner.queued.append(key)
    else:
        runner.start(key, created)
    return created


def get(call: Call) -> Resource:
    """Show an execution; one that runs shows where it is."""
    return _viewed(call, _execution(call), default="FULL")


def list_executions(call: Call) -> Resource:
    """List the executions of a workflow, newest first unless asked otherwise."""
    found = [
        _augmented(call, item)
        for item in call.store.children(execution_name(call) + "/executions/")
    ]
    expression = _SECONDS.sub(r"\1\2", call.get("filter") or "")
    kept = ordered(
        filtered(found[::-1], expression), call.get("orderBy"), _ORDER, default="createTime desc"
    )
    full = call.get("view") == "FULL"
    answer = page(call, kept, "executions", default=100, most=100 if full else 1000)
    if "executions" in answer:
        shown = [_viewed(call, item, default="BASIC") for item in answer["executions"]]
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


def _execution(call: Call) -> Resource:
    name = execution_name(call)
    found = call.store.find(name) if _NAME.fullmatch(name) else None
    if found is None:
        raise not_found(f"Resource '{call.cloud.by_number(name)}' was not found")
    return found


def _viewed(call: Call, execution: Resource, *, default: str) -> Resource:
    view = call.get("view") or default
    if view == "EXECUTION_VIEW_UNSPECIFIED":
        view = default
    shown = runner_of(call.cloud).with_progress(execution)
    fields = _BASIC if view == "BASIC" else shown.keys()
    return {key: shown[key] for key in fields if key in shown and not key.startswith("_")}


def _augmented(call: Call, execution: Resource) -> Resource:
    """Add what filters and orders may name and the resource itself does not have."""
    current = runner_of(call.cloud).with_progress(execution)
    steps = [step["step"] for step in current.get("status", {}).get("currentSteps", [])]
    return {
        **execution,
        "executionId": execution["name"].rpartition("/")[2],
        "stepName": steps[0] if steps else None,
        "label": execution.get("labels", {}),
        "duration": float(execution.get("duration", "0s").removesuffix("s")),
        "_duration": execution.get("duration"),
    }


def _check_argument(argument: str | None) -> None:
    if argument is None:
        return
    if len(argument.encode()) > limits.ARGUMENT_BYTES:
        raise invalid(f"argument is larger than {limits.ARGUMENT_BYTES} bytes")
    try:
        from_json(argument)
    except (ValueError, json.JSONDecodeError) as error:
        raise invalid(f"argument is not valid JSON: {error}") from error


_HANDLERS: dict[str, tuple[Any, str]] = {
    "create": (create, "workflows.executions.create"),
    "get": (get, "workflows.executions.get"),
    "list": (list_executions, "workflows.executions.list"),
    "cancel": (cancel, "workflows.executions.cancel"),
    "deleteExecutionHistory": (delete_history, "workflows.stepEntries.deleteHistory"),
    "callbacks.list": (callbacks.list_callbacks, "workflows.callbacks.list"),
    "stepEntries.get": (entries.get, "workflows.stepEntries.get"),
    "stepEntries.list": (entries.list_entries, "workflows.stepEntries.list"),
}

SERVICE = Service(
    "workflowexecutions",
    "v1",
    {_PREFIX + method: handler for method, (handler, _) in _HANDLERS.items()},
    permissions={
        _PREFIX + method: Needs(needed, api="workflows")
        for method, (_, needed) in _HANDLERS.items()
    },
    resource=execution_name,
    extra=callbacks.ROUTES,
    grpc_methods={
        _GRPC + "CreateExecution": (
            types.CreateExecutionRequest,
            types.Execution,
            _PREFIX + "create",
        ),
        _GRPC + "GetExecution": (types.GetExecutionRequest, types.Execution, _PREFIX + "get"),
        _GRPC + "ListExecutions": (
            types.ListExecutionsRequest,
            types.ListExecutionsResponse,
            _PREFIX + "list",
        ),
        _GRPC + "CancelExecution": (
            types.CancelExecutionRequest,
            types.Execution,
            _PREFIX + "cancel",
        ),
    },
    on_start=on_start,
    on_stop=on_stop,
)
