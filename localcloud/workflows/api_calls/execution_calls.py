"""Running another workflow and waiting for it, through the Executions API."""

from typing import Any, Final
from urllib.parse import quote

from localcloud.workflows.api_calls.connector_calls import Call, Deadline, call_api, delays
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import WorkflowError, failure
from localcloud.workflows.values import expect_type, from_json, to_json

_ROOT: Final = "https://workflowexecutions.googleapis.com/v1/"
_RUNNING: Final = ("ACTIVE", "QUEUED", "STATE_UNSPECIFIED")


def run_workflow(frame: Frame, arguments: dict[str, Any], params: Any = None) -> Running:
    """Run a workflow; argument and result are values here, not JSON text."""
    call = Call.of(params)
    environment = frame.run.environment
    project = arguments.get("project_id") or environment.get("GOOGLE_CLOUD_PROJECT_ID", "")
    location = arguments.get("location") or environment.get("GOOGLE_CLOUD_LOCATION", "")
    name = expect_type(arguments["workflow_id"], str, "workflow_id")
    parts = (
        str(expect_type(project, str, "project_id")),
        str(expect_type(location, str, "location")),
    )
    parent = f"projects/{quote(parts[0])}/locations/{quote(parts[1])}/workflows/{quote(name)}"
    body = {}
    if arguments.get("argument") is not None:
        body["argument"] = to_json(arguments["argument"])
    deadline = Deadline(frame, call.timeout)
    execution = yield from call_api(
        frame, "POST", f"{_ROOT}{parent}/executions", body, call=call, deadline=deadline
    )
    if call.skip_polling:
        return None  # the page of the helper: it "doesn't return anything" then
    finished = yield from wait_for_execution(frame, execution, call, deadline)
    return from_json(finished["result"]) if finished.get("result") else None


def wait_for_execution(frame: Frame, execution: Any, call: Call, deadline: Deadline) -> Running:
    """Poll an execution until it is over; raise OperationError unless it succeeded."""
    waits = delays(call)
    while True:
        if type(execution) is not dict or type(execution.get("name")) is not str:
            raise failure("ResponseTypeError", "the response is not an execution")
        if execution.get("state") not in _RUNNING:
            break
        yield from deadline.sleep(next(waits))
        frame.run.count()
        execution = yield from call_api(
            frame, "GET", _ROOT + execution["name"], None, call=call, deadline=deadline
        )
    if execution.get("state") != "SUCCEEDED":
        raise _failed(execution)
    return execution


def _failed(execution: dict[str, Any]) -> WorkflowError:
    # Google's text says no more (active-assist, issue 12); what happened stands under ``operation``.
    message = "Execution failed or cancelled."
    error = execution.get("error") or {}
    return failure("OperationError", message, operation=execution, error=error)
