"""Jobs that connectors wait for although they are no operations."""

from typing import Any

import pytest

from tests.localcloud.workflows.api_calls.test_connectors import call
from tests.localcloud.workflows.conftest import Bench


def execution_of_run(status: str) -> dict[str, Any]:
    """Give an execution of a Cloud Run job as v1 shows it."""
    return {
        "metadata": {"namespace": "p", "name": "j-1"},
        "status": {"conditions": [{"type": "Completed", "status": status}]},
    }


JOBS: dict[str, tuple[str, dict[str, Any], str, str, Any, Any, Any]] = {
    "Cloud Run": (
        "run.v1.namespaces.jobs.run",
        {"name": "namespaces/p/jobs/j", "location": "r"},
        "POST https://r-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/jobs/j:run",
        "GET https://r-run.googleapis.com/apis/run.googleapis.com/v1/namespaces/p/executions/j-1",
        execution_of_run("Unknown"),
        execution_of_run("True"),
        execution_of_run("False"),
    ),
    "Batch": (
        "batch.v1.projects.locations.jobs.create",
        {"parent": "projects/p/locations/l", "body": {}},
        "POST https://batch.googleapis.com/v1/projects/p/locations/l/jobs",
        "GET https://batch.googleapis.com/v1/projects/p/locations/l/jobs/j",
        {"name": "projects/p/locations/l/jobs/j"},
        {"name": "projects/p/locations/l/jobs/j", "status": {"state": "SUCCEEDED"}},
        {"name": "projects/p/locations/l/jobs/j", "status": {"state": "FAILED"}},
    ),
    "Dataflow": (
        "dataflow.v1b3.projects.locations.templates.create",
        {"projectId": "p", "location": "l", "body": {}},
        "POST https://dataflow.googleapis.com/v1b3/projects/p/locations/l/templates",
        "GET https://dataflow.googleapis.com/v1b3/projects/p/locations/l/jobs/7",
        {"id": "7", "projectId": "p", "location": "l"},
        {"id": "7", "currentState": "JOB_STATE_DONE"},
        {"id": "7", "currentState": "JOB_STATE_CANCELLED"},
    ),
}


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_is_waited_for(bench: Bench, kind: str) -> None:
    """What is no operation is polled too where Google's page says that the method waits."""
    name, arguments, begin, poll, running, done, _ = JOBS[kind]
    bench.answers[begin] = [(200, running)]
    bench.answers[poll] = [(200, running), (200, done)]
    execution = bench.run(call(name, **arguments))
    assert execution.error is None, execution.error
    assert (execution.result, execution.sleeps) == (done, [1, 1.25])


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_that_fails(bench: Bench, kind: str) -> None:
    """A job that ends badly is an OperationError with the job in it."""
    name, arguments, begin, poll, running, _, failed = JOBS[kind]
    bench.answers[begin] = [(200, running)]
    bench.answers[poll] = [(200, failed)]
    error = bench.error(call(name, **arguments))
    assert error["tags"] == ["OperationError"]
    assert error["operation"] == failed


def test_a_job_that_is_no_job(bench: Bench) -> None:
    """An answer of the wrong kind is a ResponseTypeError, not an endless wait."""
    name, arguments, begin, *_ = JOBS["Batch"]
    bench.answers[begin] = [(200, ["what"])]
    assert bench.error(call(name, **arguments))["tags"] == ["ResponseTypeError"]
