"""A job runs its task in its image, again if it fails, and says how it ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services.logging import entries
from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import ACCOUNT, IMAGE, PARENT, Caller

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

JOB = f"{PARENT}/jobs/migrate"


def job(*args: str, env: dict[str, str] | None = None, **task: Any) -> dict[str, Any]:
    """Return the body of a job that runs the image's task program."""
    container = {
        "image": IMAGE,
        "command": [sys.executable, "-S", "/app/task.py"],
        "args": list(args),
        "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
    }
    template = {"containers": [container], "serviceAccount": ACCOUNT, "maxRetries": 0, **task}
    return {"template": {"template": template}, "labels": {"team": "risk"}}


def made(owner: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Create the job; returns it."""
    response: dict[str, Any] = owner.done(owner("POST", f"{PARENT}/jobs?jobId=migrate", body))[
        "response"
    ]
    return response


def run(owner: Caller, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run the job; returns the finished operation."""
    return owner.done(owner("POST", f"{JOB}:run", body or {}))


def execution(owner: Caller) -> dict[str, Any]:
    """Return the job's latest execution."""
    short = owner("GET", JOB).json()["latestCreatedExecution"]["name"]
    found: dict[str, Any] = owner("GET", f"{JOB}/executions/{short}").json()
    return found


def test_operation_ends_with_the_execution(owner: Caller) -> None:
    """The operation is done when the task is, and its response is the execution."""
    job_made = made(owner, job("now"))

    operation = run(owner)

    assert job_made["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
    found = operation["response"]
    assert (found["succeededCount"], found["taskCount"], found["reconciling"]) == (1, 1, False)
    assert found["conditions"][0]["state"] == "CONDITION_SUCCEEDED"
    latest = owner("GET", JOB).json()["latestCreatedExecution"]
    assert latest["completionStatus"] == "EXECUTION_SUCCEEDED"
    assert latest["name"] == found["name"].rpartition("/")[2]


def test_waiting_returns_the_finished_operation(owner: Caller) -> None:
    """operations.wait gives the operation when it is done, or as it is after the timeout."""
    made(owner, job("now"))
    name = owner("POST", f"{JOB}:run", {}).json()["name"]

    at_once = owner("POST", f"{name}:wait", {"timeout": "0s"}).json()
    later = owner("POST", f"{name}:wait", {"timeout": "20s"}).json()

    assert (at_once["done"], later["done"]) == (False, True)


def test_output_is_logged(cloud: Cloud, owner: Caller) -> None:
    """A task's output is in the log under the job and the execution."""
    made(owner, job("now"))
    run(owner)

    found = [
        one for one in entries(cloud.store) if one.get("textPayload", "").startswith("attempt")
    ]

    assert found[0]["textPayload"] == "attempt 0 ['now']"
    assert found[0]["resource"]["labels"]["job_name"] == "migrate"
    assert "run.googleapis.com/execution_name" in found[0]["labels"]


def test_failed_task_fails_the_operation(owner: Caller) -> None:
    """The operation's error names the task, the exit code and the last words."""
    made(owner, job("now", env={"FAIL_UNTIL": "9"}))

    operation = run(owner)

    assert operation["error"]["code"] == 9
    assert "exited with an error (4)" in operation["error"]["message"]
    assert "attempt 0 ['now']" in operation["error"]["message"]
    found = execution(owner)
    assert (found["failedCount"], found["succeededCount"]) == (1, 0)
    assert found["conditions"][0]["executionReason"] == "NON_ZERO_EXIT_CODE"


def test_task_is_tried_again(owner: Caller) -> None:
    """A task that fails twice succeeds at the third attempt when two retries are allowed."""
    made(owner, job(env={"FAIL_UNTIL": "2"}, maxRetries=2))

    operation = run(owner)

    tasks = owner("GET", f"{operation['response']['name']}/tasks").json()["tasks"]
    assert [task["retried"] for task in tasks] == [2]
    assert tasks[0]["lastAttemptResult"]["exitCode"] == 0


def test_every_task_runs(owner: Caller) -> None:
    """An execution has as many tasks as the job says."""
    body = job("now")
    body["template"]["taskCount"] = 3
    made(owner, body)

    assert run(owner)["response"]["succeededCount"] == 3


def test_overrides_change_one_execution(cloud: Cloud, owner: Caller) -> None:
    """Overrides replace arguments and merge variables, and the job stays what it was."""
    made(owner, job("now", env={"FAIL_UNTIL": "9"}))
    override = {"args": ["other"], "env": [{"name": "FAIL_UNTIL", "value": "0"}]}

    operation = run(owner, {"overrides": {"containerOverrides": [override]}})

    assert operation["response"]["succeededCount"] == 1
    assert any("['other']" in one.get("textPayload", "") for one in entries(cloud.store))
    kept = owner("GET", JOB).json()["template"]["template"]["containers"][0]
    assert kept["args"] == ["now"]


def test_timeout_ends_the_task(owner: Caller) -> None:
    """A task above its timeout is ended and fails."""
    made(owner, job("wait", timeout="1s"))

    operation = run(owner)

    assert "configured timeout was reached" in operation["error"]["message"]


def test_cancelled_execution_ends(cloud: Cloud, owner: Caller) -> None:
    """Cancelling ends the process, and the execution says so."""
    made(owner, job("wait"))
    started = owner("POST", f"{JOB}:run", {}).json()
    name = started["metadata"]["name"]
    eventually(lambda: any("'wait'" in one.get("textPayload", "") for one in entries(cloud.store)))

    owner.done(owner("POST", f"{name}:cancel", {}))

    eventually(lambda: owner("GET", started["name"]).json()["done"])
    found = owner("GET", name).json()
    assert (found["cancelledCount"], found["failedCount"]) == (1, 0)
    assert found["conditions"][0]["executionReason"] == "CANCELLED"


def test_job_made_again_after_deletion_runs(owner: Caller) -> None:
    """What was cancelled with a deleted job says nothing about the next job of that name."""
    made(owner, job("now"))
    run(owner)
    owner.done(owner("DELETE", JOB))
    made(owner, job("now"))

    operation = run(owner)

    assert operation["response"]["succeededCount"] == 1


def test_missing_image_fails_the_job(owner: Caller) -> None:
    """A job whose image is not there is made, and its operation says what is missing."""
    body = job("now")
    body["template"]["template"]["containers"][0]["image"] = IMAGE + ":nope"

    operation = owner.done(owner("POST", f"{PARENT}/jobs?jobId=migrate", body))

    assert operation["error"]["message"] == f"Image '{IMAGE}:nope' not found."
    assert owner("GET", JOB).json()["terminalCondition"]["reason"] == "CONTAINER_MISSING"


def test_repeated_create_is_a_conflict(owner: Caller) -> None:
    """A second create says so; PATCH with allowMissing is the way that can be repeated."""
    made(owner, job("now"))

    assert owner("POST", f"{PARENT}/jobs?jobId=migrate", job("now")).status == 409
    again = owner.done(owner("PATCH", f"{JOB}?allowMissing=true", job("then")))
    assert again["response"]["generation"] == "2"


def test_deleted_job_takes_its_executions_along(owner: Caller) -> None:
    """Neither the job nor what it ran is found afterwards."""
    made(owner, job("now"))
    name = run(owner)["response"]["name"]

    owner.done(owner("DELETE", JOB))

    assert owner("GET", JOB).status == owner("GET", name).status == 404


@pytest.mark.parametrize(
    ("role", "status"),
    [("roles/run.viewer", 403), ("roles/run.invoker", 200), ("roles/run.jobsExecutor", 200)],
)
def test_running_needs_the_right_role(cloud: Cloud, owner: Caller, role: str, status: int) -> None:
    """Looking at a job is not running it."""
    made(owner, job("now"))
    cloud.grant("user:ana@example.com", role)

    answer = Caller(cloud, "ana@example.com")("POST", f"{JOB}:run", {})

    assert answer.status == status
    if status == 200:
        owner.done(answer)


def test_overrides_need_their_own_permission(cloud: Cloud, owner: Caller) -> None:
    """Whoever may run a job as it is may not change what it runs."""
    made(owner, job("now"))
    cloud.grant("user:ana@example.com", "roles/run.invoker")
    body = {"overrides": {"containerOverrides": [{"args": ["other"]}]}}

    assert Caller(cloud, "ana@example.com")("POST", f"{JOB}:run", body).status == 403
