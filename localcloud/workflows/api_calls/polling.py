"""Waiting for long-running operations: where each API keeps them, and how it spells the end."""

from typing import Any, Final
from urllib.parse import quote

from localcloud.workflows.api_calls.connector_calls import Call, Deadline, call_api, delays
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import WorkflowError, failure

# Of Cloud Run only the methods of v2 give operations. That both wait is said on
# docs/reference/googleapis/run/v2/projects.locations.jobs/create and
# docs/reference/googleapis/cloudresourcemanager/v3/projects/create.
POLLED: Final = frozenset(
    [
        "aiplatform",
        "batch",
        "cloudbuild",
        "cloudfunctions",
        "cloudresourcemanager",
        "compute",
        "container",
        "documentai",
        "firestore",
        "run",
        "spanner",
        "sqladmin",
        "storagetransfer",
        "translate",
        "workflows",
    ]
)
_COMPUTE: Final = ("zone", "region")


def wait_for_operation(
    frame: Frame,
    document: dict[str, Any],
    operation: Any,
    arguments: dict[str, Any],
    *,
    call: Call,
    deadline: Deadline,
) -> Running:
    """Poll an operation until it is done; give it back, or raise OperationError."""
    waits = delays(call)
    _check(operation)
    url = _address(document, operation, arguments)
    while not _done(operation):
        yield from deadline.sleep(next(waits))
        frame.run.count()
        operation = yield from call_api(frame, "GET", url, None, call=call, deadline=deadline)
        _check(operation)
    error = operation.get("error")
    if error:
        raise _failed(operation, error)
    return operation


def wait_for_job(frame: Frame, job: Any, *, call: Call, deadline: Deadline) -> Running:
    """Poll a BigQuery job until it is done; give it back, or raise OperationError."""
    waits = delays(call)
    while True:
        reference = job.get("jobReference") if type(job) is dict else None
        if type(reference) is not dict or type(reference.get("jobId")) is not str:
            raise failure("ResponseTypeError", "the response is not a job")
        status = job.get("status") or {}
        if status.get("state") == "DONE":
            break
        yield from deadline.sleep(next(waits))
        frame.run.count()
        url = (
            "https://bigquery.googleapis.com/bigquery/v2/projects/"
            f"{quote(str(reference.get('projectId')))}/jobs/{quote(reference['jobId'])}"
        )
        if reference.get("location"):
            url += f"?location={quote(str(reference['location']))}"
        job = yield from call_api(frame, "GET", url, None, call=call, deadline=deadline)
    if status.get("errorResult"):
        raise _failed({**job, "name": reference["jobId"]}, status["errorResult"])
    return job


def _check(operation: Any) -> None:
    if type(operation) is not dict or type(operation.get("name")) is not str:
        raise failure("ResponseTypeError", "the response is not an operation")


def _done(operation: dict[str, Any]) -> bool:
    return operation.get("done") is True or operation.get("status") == "DONE"


def _failed(operation: dict[str, Any], error: Any) -> WorkflowError:
    message = error.get("message") if isinstance(error, dict) else None
    if message is None and isinstance(error, dict):
        errors = error.get("errors") or []
        texts = [
            item.get("message") or item.get("code") for item in errors if isinstance(item, dict)
        ]
        message = "; ".join(str(text) for text in texts if text)
    text = f"operation {operation['name']} failed"
    return failure(
        "OperationError",
        f"{text}: {message}" if message else text,
        operation=operation,
        error=error,
    )


def _address(document: dict[str, Any], operation: dict[str, Any], arguments: dict[str, Any]) -> str:
    """Give the URL of an operation."""
    base = document["rootUrl"] + document.get("servicePath", "")
    name = operation["name"]
    if document["name"] == "sqladmin":
        project = arguments.get("project") or operation.get("targetProject", "")
        prefix = "sql/v1beta4/" if document["version"] == "v1beta4" else "v1/"
        return f"{base}{prefix}projects/{quote(str(project))}/operations/{quote(name)}"
    if document["name"] == "compute":
        project = quote(str(arguments["project"]))
        for kind in _COMPUTE:
            if kind in arguments:
                place = quote(str(arguments[kind]))
                return f"{base}projects/{project}/{kind}s/{place}/operations/{quote(name)}"
        return f"{base}projects/{project}/global/operations/{quote(name)}"
    if document["name"] == "container" and isinstance(operation.get("selfLink"), str):
        return str(operation["selfLink"])
    return f"{base}{document['version']}/{quote(name, safe='/')}"
