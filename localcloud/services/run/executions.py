"""run.projects.locations.jobs.executions and their tasks: the handlers, and how tasks run."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from localcloud.clock import VirtualClock
from localcloud.errors import ApiError, not_found, precondition
from localcloud.machines.containers.workload import ContainerError, Ended, Workload
from localcloud.service import page
from localcloud.services.run import names, operations, preflight, templates
from localcloud.services.run.conditions import FAILED, RECONCILING, SUCCEEDED, condition

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

_MOST_AT_ONCE = 8


def fresh(call: Call, job: Resource, template: Resource) -> Resource:
    """Return a new execution of a job."""
    short = f"{job['name'].rpartition('/')[2]}-{names.random_suffix(5)}"
    made: Resource = {
        "name": f"{job['name']}/executions/{short}",
        "uid": str(uuid.uuid4()),
        "generation": "1",
        "createTime": call.now,
        "updateTime": call.now,
        "creator": call.caller.email,
        "job": job["name"].rpartition("/")[2],
        "launchStage": "GA",
        "labels": {**job.get("labels", {}), **template.get("labels", {})},
        "taskCount": template["taskCount"],
        "parallelism": template.get("parallelism") or template["taskCount"],
        "template": template["template"],
        "reconciling": True,
        "conditions": [condition("Completed", RECONCILING, call.now)],
    }
    made["etag"] = names.etag(made)
    return made


def begin(call: Call, job: Resource, template: Resource) -> Resource:
    """Store a new execution with its tasks, and name it in the job."""
    execution = fresh(call, job, template)
    name = execution["name"]
    with call.cloud.store.lock():
        call.store.put(name, execution)
        for index in range(execution["taskCount"]):
            task = _task(execution, index, call.now)
            call.store.put(task["name"], task)

        def mark(one: Resource) -> Resource:
            one["executionCount"] = one.get("executionCount", 0) + 1
            one["latestCreatedExecution"] = _reference(execution, "EXECUTION_RUNNING")
            return one | {"etag": names.etag(one)}

        call.store.update(job["name"], mark)
    return execution


def _reference(execution: Resource, status: str) -> Resource:
    made = {"name": execution["name"].rpartition("/")[2], "completionStatus": status}
    kept = {key: execution[key] for key in ("createTime", "completionTime") if key in execution}
    return made | kept


def _task(execution: Resource, index: int, now: str) -> Resource:
    name = execution["name"]
    template = execution["template"]
    made: Resource = {
        "name": f"{name}/tasks/{name.rpartition('/')[2]}-task{index}",
        "uid": str(uuid.uuid4()),
        "generation": "1",
        "createTime": now,
        "job": execution["job"],
        "execution": name.rpartition("/")[2],
        "index": index,
        "retried": 0,
        "labels": execution["labels"],
        "conditions": [condition("Completed", RECONCILING, now)],
    }
    copied = ("containers", "volumes", "serviceAccount", "timeout", "maxRetries")
    return made | {key: template[key] for key in copied if key in template}


def carry_out(cloud: Cloud, name: str) -> Resource | None:
    """Run every task of an execution; the work of the operation."""
    store = cloud.store.of("run")
    if store.find(name) is None:
        return None
    started = cloud.clock.rfc3339()
    execution = store.update(name, lambda one: one | {"startTime": started})
    tasks = store.children(f"{name}/tasks/")
    if isinstance(cloud.clock, VirtualClock):
        outcomes = [_attempt(cloud, execution, task) for task in tasks]
    else:
        with ThreadPoolExecutor(min(execution["parallelism"], _MOST_AT_ONCE)) as pool:
            outcomes = list(pool.map(lambda task: _attempt(cloud, execution, task), tasks))
    return _conclude(cloud, name, outcomes)


def _attempt(cloud: Cloud, execution: Resource, task: Resource) -> tuple[Resource, str]:
    """Run one task as often as it may be retried; returns it with what went wrong, or nothing."""
    store = cloud.store.of("run")
    name = task["name"]
    seconds = templates.seconds(task["timeout"])
    trouble, retried, ended = "", 0, Ended(0)
    task["startTime"] = cloud.clock.rfc3339()
    with cloud.store.lock():
        if store.find(name) is not None:
            store.put(name, task)
    for retried in range(task["maxRetries"] + 1):
        ended, trouble = _run(cloud, _workload(execution, task, retried), seconds)
        if not trouble or ended.cancelled or store.find(name) is None:
            break
    state = FAILED if trouble else SUCCEEDED
    reason = "CANCELLED" if ended.cancelled else "NON_ZERO_EXIT_CODE" if trouble else ""
    now = cloud.clock.rfc3339()
    task |= {
        "completionTime": now,
        "retried": retried,
        "observedGeneration": "1",
        "conditions": [condition("Completed", state, now, reason=reason, message=trouble)],
        "lastAttemptResult": _result(ended, trouble),
    }
    if store.find(name) is not None:
        store.put(name, task)
    return task, trouble


def _result(ended: Ended, trouble: str) -> Resource:
    if not trouble:
        return {"exitCode": 0}
    status = {"code": 2, "message": trouble}
    if ended.code < 0:
        return {"status": status, "termSignal": -ended.code}
    return {"status": status, "exitCode": ended.code}


def _run(cloud: Cloud, workload: Workload, seconds: float) -> tuple[Ended, str]:
    try:
        preflight.check_network(cloud, workload.template, workload.region)
        ended = cloud.machines.containers.run(workload, timeout=seconds)
    except ContainerError as error:
        return Ended(1), str(error)
    if ended.timed_out:
        return ended, f"The configured timeout was reached.{_said(ended)}"
    if ended.cancelled:
        return ended, "The execution was cancelled."
    if ended.code != 0:
        return ended, f"The container exited with an error ({ended.code}).{_said(ended)}"
    return ended, ""


def _said(ended: Ended) -> str:
    return f"\n\nThe last lines of its log:\n{ended.log}" if ended.log else ""


def _workload(execution: Resource, task: Resource, attempt: int) -> Workload:
    where = names.Name.of(execution["name"])
    short = execution["name"].rpartition("/")[2]
    labels = {"project_id": where.project, "location": where.region, "job_name": where.id}
    return Workload(
        name=task["name"],
        project=where.project,
        region=where.region,
        template=execution["template"],
        env={
            "CLOUD_RUN_JOB": where.id,
            "CLOUD_RUN_EXECUTION": short,
            "CLOUD_RUN_TASK_INDEX": str(task["index"]),
            "CLOUD_RUN_TASK_ATTEMPT": str(attempt),
            "CLOUD_RUN_TASK_COUNT": str(execution["taskCount"]),
        },
        log_resource={"type": "cloud_run_job", "labels": labels},
        log_labels={
            "run.googleapis.com/execution_name": short,
            "run.googleapis.com/task_index": str(task["index"]),
            "run.googleapis.com/task_attempt": str(attempt),
        },
    )


def _conclude(cloud: Cloud, name: str, outcomes: list[tuple[Resource, str]]) -> Resource | None:
    store = cloud.store.of("run")
    now = cloud.clock.rfc3339()
    bad = [(task, trouble) for task, trouble in outcomes if trouble]
    cancelled = [task for task, _ in bad if _is_cancelled(task)]
    message = ""
    if bad:
        task, trouble = bad[0]
        message = f"Task {task['name'].rpartition('/')[2]} failed with message: {trouble}"
    if store.find(name) is None:
        raise failed("The execution was deleted while it ran.")

    def mark(one: Resource) -> Resource:
        reason = "CANCELLED" if cancelled else "NON_ZERO_EXIT_CODE" if bad else ""
        one["conditions"] = [
            condition(
                "Completed", FAILED if bad else SUCCEEDED, now, reason=reason, message=message
            )
        ]
        one |= {
            "completionTime": now,
            "updateTime": now,
            "reconciling": False,
            "observedGeneration": "1",
            "succeededCount": len(outcomes) - len(bad),
            "failedCount": len(bad) - len(cancelled),
            "cancelledCount": len(cancelled),
            "retriedCount": sum(1 for task, _ in outcomes if task["retried"]),
        }
        return one | {"etag": names.etag(one)}

    status = "EXECUTION_SUCCEEDED"
    if bad:
        status = "EXECUTION_CANCELLED" if cancelled else "EXECUTION_FAILED"
    with cloud.store.lock():
        execution = store.update(name, mark)
        job = name.partition("/executions/")[0]

        def refer(one: Resource) -> Resource | None:
            latest = one.get("latestCreatedExecution", {}).get("name")
            if latest == name.rpartition("/")[2]:
                one["latestCreatedExecution"] = _reference(execution, status)
            return one

        if store.find(job) is not None:
            store.update(job, refer)
    if bad:
        raise failed(message)
    return execution


def interrupt(cloud: Cloud, name: str) -> None:
    """Conclude an execution whose tasks ended with the local cloud."""
    trouble = "The container was terminated because the local cloud was stopped."
    tasks = cloud.store.of("run").children(f"{name}/tasks/")
    with suppress(ApiError):  # it always is a failure; nobody waits for this operation any more
        _conclude(cloud, name, [(task, trouble) for task in tasks])


def _is_cancelled(task: Resource) -> bool:
    return any(one.get("executionReason") == "CANCELLED" for one in task["conditions"])


def failed(message: str) -> ApiError:
    """Return the error an operation ends with when what it started failed."""
    return ApiError(400, message, status="FAILED_PRECONDITION")


def get(call: Call) -> Resource:
    """Give an execution."""
    return _fetch(call, "EXECUTION")


def get_task(call: Call) -> Resource:
    """Give a task."""
    return _fetch(call, "TASK")


def _fetch(call: Call, kind: str) -> Resource:
    name = call.cloud.by_id(call["name"])
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Resource '{name.rpartition('/')[2]}' of kind '{kind}' does not exist.")
    return found


def listed(call: Call) -> Resource:
    """List a job's executions, newest first; with ``-`` those of all jobs."""
    return page(call, names.under(call, "executions")[::-1], "executions")


def list_tasks(call: Call) -> Resource:
    """List an execution's tasks; with ``-`` those of all executions, or of all jobs."""
    return page(call, names.under(call, "tasks"), "tasks")


def cancel(call: Call) -> Resource:
    """End an execution that runs."""
    execution = get(call)
    names.check_etag(execution, call.body.get("etag"))
    if not execution["reconciling"]:
        raise precondition(f"Execution {execution['name'].rpartition('/')[2]} has ended already.")
    if call.body.get("validateOnly"):
        return operations.finished(call, execution["name"], execution, operations.EXECUTION)

    def work() -> Resource | None:
        call.cloud.machines.containers.cancel(f"{execution['name']}/")
        return call.store.find(execution["name"])

    return operations.start(call, execution, work, operations.EXECUTION)


def delete(call: Call) -> Resource:
    """Delete an execution; if it runs, it is ended first."""
    execution = get(call)
    names.check_etag(execution, call.get("etag"))
    name = execution["name"]
    if call.get("validateOnly"):
        return operations.finished(call, name, execution, operations.EXECUTION)
    call.store.delete_tree(name)

    def work() -> Resource:
        call.cloud.machines.containers.cancel(f"{name}/")
        return execution

    return operations.start(call, execution, work, operations.EXECUTION)
