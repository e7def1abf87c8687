"""Waiting for jobs: what is not an operation, and yet waited for.

The pages of these methods say that the execution pauses until they are over:
docs/reference/googleapis/run/v1/namespaces.jobs/run and .../create,
batch/v1/projects.locations.jobs/create, transcoder/v1/projects.locations.jobs/create,
dataflow/v1b3/projects.locations.templates/create and .../projects.locations.jobs/create.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from localcloud.workflows.api_calls.connector_calls import Call, Deadline, call_api, delays
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import failure

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Where a job is found again, and how its state is read: done, failed, or neither."""

    path: Callable[[Answer], str]
    state: Callable[[Answer], str]
    done: frozenset[str]
    failed: frozenset[str]


def _part(answer: Any, *keys: str) -> str:
    for key in keys:
        answer = answer.get(key) if type(answer) is dict else None
    return answer if type(answer) is str else ""


def _knative(kind: str) -> Callable[[Answer], str]:
    def path(answer: Answer) -> str:
        namespace = quote(_part(answer, "metadata", "namespace"))
        name = quote(_part(answer, "metadata", "name"))
        return f"apis/run.googleapis.com/v1/namespaces/{namespace}/{kind}/{name}"

    return path


def _condition(kind: str) -> Callable[[Answer], str]:
    def state(answer: Answer) -> str:
        status = answer.get("status")
        conditions = status.get("conditions") if type(status) is dict else None
        found = [one for one in conditions or () if _part(one, "type") == kind]
        return _part(found[0], "status") if found else ""

    return state


def _dataflow(answer: Answer) -> str:
    project, place = quote(_part(answer, "projectId")), quote(_part(answer, "location"))
    return f"v1b3/projects/{project}/locations/{place}/jobs/{quote(_part(answer, 'id'))}"


def _named(answer: Answer) -> str:
    return f"v1/{quote(_part(answer, 'name'), safe='/')}"


_TRUE, _FALSE = frozenset({"True"}), frozenset({"False"})
_SUCCEEDED: Final = frozenset({"SUCCEEDED"})
_DATAFLOW: Final = Wait(
    _dataflow,
    lambda answer: _part(answer, "currentState"),
    frozenset({"JOB_STATE_DONE", "JOB_STATE_DRAINED", "JOB_STATE_UPDATED"}),
    frozenset({"JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_STOPPED"}),
)
WAITS: Final[dict[str, Wait]] = {
    "run.namespaces.jobs.run": Wait(_knative("executions"), _condition("Completed"), _TRUE, _FALSE),
    "run.namespaces.jobs.create": Wait(_knative("jobs"), _condition("Ready"), _TRUE, _FALSE),
    "batch.projects.locations.jobs.create": Wait(
        _named,
        lambda answer: _part(answer, "status", "state"),
        _SUCCEEDED,
        frozenset({"FAILED", "CANCELLED"}),
    ),
    "transcoder.projects.locations.jobs.create": Wait(
        _named, lambda answer: _part(answer, "state"), _SUCCEEDED, frozenset({"FAILED"})
    ),
    "dataflow.projects.jobs.create": _DATAFLOW,
    "dataflow.projects.locations.jobs.create": _DATAFLOW,
    "dataflow.projects.templates.create": _DATAFLOW,
    "dataflow.projects.locations.templates.create": _DATAFLOW,
}


def wait_for(
    frame: Frame, wait: Wait, root: str, answer: Any, *, call: Call, deadline: Deadline
) -> Running:
    """Poll a job until it is over; give it back, or raise OperationError."""
    waits = delays(call)
    while True:
        if type(answer) is not dict:
            raise failure("ResponseTypeError", "the response is not a job")
        state = wait.state(answer)
        if state in wait.done:
            return answer
        if state in wait.failed:
            raise failure("OperationError", "the job failed", operation=answer, error=answer)
        yield from deadline.sleep(next(waits))
        frame.run.count()
        url = root + wait.path(answer)
        answer = yield from call_api(frame, "GET", url, None, call=call, deadline=deadline)
