"""What executions write to Cloud Logging: sys.log, the call log, and their own beginning and end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.clock import rfc3339
from localcloud.workflows.errors import WorkflowError
from localcloud.workflows.report import payload_text
from localcloud.workflows.values import copy, shown, to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.workflows.running.machine import Execution

_EVENTS = {
    "LOG_ALL_CALLS": frozenset({"call", "return", "exception"}),
    "LOG_ERRORS_ONLY": frozenset({"exception"}),
}
_STATES = {"call": "BEGUN", "return": "SUCCEEDED", "exception": "EXCEPTION_RAISED"}
_SYSTEM_TYPE = "type.googleapis.com/google.cloud.workflows.type.ExecutionsSystemLog"
_SYSTEM_LOG = "workflows.googleapis.com%2Fexecutions_system"
_CALL_TYPE = "type.googleapis.com/google.cloud.workflows.type.EngineCallLog"
_CALL_LOG = "workflows.googleapis.com%2Fengine_call"
_SHORT = 1024


def write(
    cloud: Cloud, execution: Execution, entry: dict[str, Any], log: str = "Workflows"
) -> None:
    """Write an entry about an execution."""
    parts = execution.settings.name.split("/")
    cloud.log(
        {
            "logName": f"projects/{cloud.project}/logs/{log}",
            "timestamp": rfc3339(execution.now()),
            "resource": {
                "type": "workflows.googleapis.com/Workflow",
                "labels": {
                    "location": parts[3],
                    "resource_container": f"projects/{cloud.number}",
                    "workflow_id": parts[5],
                },
            },
            "labels": {
                "workflows.googleapis.com/execution_id": parts[7],
                "workflows.googleapis.com/revision_id": execution.environment[
                    "GOOGLE_CLOUD_WORKFLOW_REVISION_ID"
                ],
            },
            **entry,
        }
    )


def state(cloud: Cloud, execution: Execution, now: str) -> None:
    """Write that an execution began or ended (google/cloud/workflows/type/executions_system.proto)."""
    payload: dict[str, Any] = {
        "@type": _SYSTEM_TYPE,
        "activityTime": rfc3339(execution.now()),
        "message": f"Workflow execution is in state {now}",
        "state": now,
    }
    severity = "INFO"
    if now == "ACTIVE":
        payload["start"] = {"argument": to_json(execution.argument)}
    elif now == "SUCCEEDED":
        payload["success"] = {"result": to_json(execution.result)}
    elif now == "FAILED" and execution.error is not None:
        severity = "ERROR"
        payload["failure"] = {
            "exception": payload_text(execution.error.value)[:_SHORT],
            "source": _source(execution.error)[:_SHORT],
        }
    write(cloud, execution, {"severity": severity, "jsonPayload": payload}, log=_SYSTEM_LOG)


def _source(error: WorkflowError) -> str:
    if not error.trace:
        return ""
    return f"{error.trace[0].routine}.{error.trace[0].step}"


def call_log(cloud: Cloud, level: str | None) -> Callable[[Execution, dict[str, Any]], None] | None:
    """Give what writes the call log, or None where nothing is to be written.

    Its entries are as google/cloud/workflows/type/engine_call.proto describes them.
    """
    wanted = _EVENTS.get(level or "")
    if wanted is None:
        return None
    # When the calls under way began, by branch: calls of one branch end in reverse order.
    begun: dict[int, list[float]] = {}

    def record(execution: Execution, event: dict[str, Any]) -> None:
        times = begun.setdefault(event["frame"].task.number, [])
        if event["event"] == "call":
            times.append(execution.now())
        since = times[-1] if times else execution.now()
        if event["event"] != "call" and times:
            times.pop()
        if event["event"] in wanted and not execution.replaying:
            entry = {"severity": "DEBUG", "jsonPayload": _entry(execution, event, since)}
            write(cloud, execution, entry, log=_CALL_LOG)

    return record


def _entry(execution: Execution, event: dict[str, Any], since: float) -> dict[str, Any]:
    task = event["frame"].task
    payload: dict[str, Any] = {
        "@type": _CALL_TYPE,
        "executionId": execution.settings.name.rpartition("/")[2],
        "activityTime": rfc3339(execution.now()),
        "state": _STATES[event["event"]],
        "step": execution.history.entries[task.entry - 1].step if task.entry else "",
        "callee": event["function"],
    }
    if event["event"] == "call":
        payload["begun"] = {"namedArgs": _redacted(_plain(event["arguments"]))}
    elif event["event"] == "return":
        text = json.dumps(_plain(event["value"]), ensure_ascii=False)
        payload["succeeded"] = {"callStartTime": rfc3339(since), "response": text}
    else:
        error = event["error"]
        known = isinstance(error, WorkflowError)
        payload["exceptionRaised"] = {
            "callStartTime": rfc3339(since),
            "exception": payload_text(error.value if known else str(error)),
            "origin": (_source(error) if known else "") or payload["step"],
        }
    return payload


def _redacted(arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave credentials out of the log, as the service does."""
    headers = arguments.get("headers")
    if isinstance(headers, dict):
        arguments["headers"] = {
            name: "[REDACTED]" if name.lower() == "authorization" else value
            for name, value in headers.items()
        }
    return arguments


def _plain(value: Any) -> Any:
    """Copy a value, with what JSON lacks as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return copy(value)
    return shown(value)
