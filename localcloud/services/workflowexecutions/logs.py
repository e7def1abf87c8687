"""What executions write to Cloud Logging: sys.log, the call log, and their own beginning and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.clock import rfc3339
from localcloud.workflows.errors import WorkflowError
from localcloud.workflows.report import payload_text
from localcloud.workflows.values import copy, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.workflows.machine import Execution

_EVENTS = {
    "LOG_ALL_CALLS": frozenset({"call", "return", "exception"}),
    "LOG_ERRORS_ONLY": frozenset({"exception"}),
}
_SYSTEM_TYPE = "type.googleapis.com/google.cloud.workflows.type.ExecutionsSystemLog"
_ENGINE_TYPE = "type.googleapis.com/google.cloud.workflows.type.EngineCallLog"


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
    """Write that an execution began or ended."""
    payload: dict[str, Any] = {"@type": _SYSTEM_TYPE, "state": now}
    if now == "FAILED" and execution.error is not None:
        payload["failure"] = {"exception": payload_text(execution.error.value)}
    severity = "ERROR" if now == "FAILED" else "INFO"
    write(
        cloud,
        execution,
        {"severity": severity, "jsonPayload": payload},
        log="workflows.googleapis.com%2Fexecutions_system",
    )


def call_log(level: str | None) -> Callable[[Execution, dict[str, Any]], None] | None:
    """Give what writes the call log, or None where nothing is to be written."""
    wanted = _EVENTS.get(level or "")
    if wanted is None:
        return None

    def record(execution: Execution, event: dict[str, Any]) -> None:
        if event["event"] in wanted:
            execution.log(_entry(event))

    return record


def _entry(event: dict[str, Any]) -> dict[str, Any]:
    frame = event["frame"]
    place = frame.at
    payload: dict[str, Any] = {"@type": _ENGINE_TYPE, "functionName": event["function"]}
    severity = "INFO"
    if event["event"] == "call":
        payload["begin"] = {"args": _redacted(_plain(event["arguments"]))}
    elif event["event"] == "return":
        payload["succeeded"] = {"response": _plain(event["value"])}
    else:
        severity = "ERROR"
        error = event["error"]
        value = error.value if isinstance(error, WorkflowError) else str(error)
        payload["exceptionRaised"] = {"exception": payload_text(value)}
    payload["routine"] = frame.routine
    if place is not None:
        payload["sourceLine"] = place.line
    return {"severity": severity, "jsonPayload": payload}


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
