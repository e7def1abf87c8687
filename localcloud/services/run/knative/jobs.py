"""run.namespaces.jobs, executions and tasks: jobs in Knative's words, as gcloud speaks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.run import executions
from localcloud.services.run import jobs as v2
from localcloud.services.run.knative import containers, objects
from localcloud.services.run.knative.containers import RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call
    from localcloud.store import Resource

_VERSION = "run.googleapis.com/v1"
_DONE: Resource = {"status": "Success", "metadata": {}}
_OF_JOB, _OF_EXECUTION = f"{RUN}/job", f"{RUN}/execution"


def resource(call: Call) -> str:
    """Return the job whose policy counts, the project where a call names no single one."""
    short = (call.get("name") or "").rpartition("/")[2]
    if not short:
        return objects.within(call)
    if ".jobs." in call.method:
        return objects.full_name(call, "jobs", short)
    found = _somewhere(call, "executions", short)
    return str(found["name"]) if found else objects.within(call)


def listed(call: Call) -> Resource:
    """List the jobs of a region."""
    objects.refuse_selectors(call, "labelSelector", "fieldSelector", "watch", "continue")
    found = [_shown(call, one) for one in _all(call, "jobs")]
    return objects.listing("JobList", found, _VERSION)


def get(call: Call) -> Resource:
    """Give one job."""
    return _shown(call, _job(call))


def create(call: Call) -> Resource:
    """Create a job."""
    short = call.body.get("metadata", {}).get("name", "")
    name = objects.full_name(call, "jobs", short)
    call.params["parent"], call.params["jobId"] = name.rpartition("/jobs/")[0], short
    return _written(call, name, v2.create)


def replace(call: Call) -> Resource:
    """Replace a job by what was sent."""
    name = _job(call)["name"]
    call.params["name"] = name
    return _written(call, name, v2.patch)


def delete(call: Call) -> Resource:
    """Delete a job."""
    call.params["name"] = _job(call)["name"]
    v2.delete(call)
    return _DONE


def run(call: Call) -> Resource:
    """Run a job; the execution is shown as it begins."""
    job = _job(call)
    call.params["name"] = job["name"]
    call.body = {"overrides": _overrides(call.body.get("overrides", {}))}
    begun = v2.run(call)["metadata"]
    return _shown_execution(call, begun)


def list_executions(call: Call) -> Resource:
    """List executions, newest first; a label selector may name their job."""
    wanted = objects.selected(call)
    found = [_shown_execution(call, one) for one in _all(call, "executions")]
    kept = [one for one in found if wanted.items() <= one["metadata"]["labels"].items()]
    return objects.listing("ExecutionList", kept[::-1], _VERSION)


def get_execution(call: Call) -> Resource:
    """Give one execution."""
    return _shown_execution(call, _execution(call))


def cancel_execution(call: Call) -> Resource:
    """End an execution that runs."""
    call.params["name"] = _execution(call)["name"]
    executions.cancel(call)
    return get_execution(call)


def delete_execution(call: Call) -> Resource:
    """Delete an execution."""
    call.params["name"] = _execution(call)["name"]
    executions.delete(call)
    return _DONE


def list_tasks(call: Call) -> Resource:
    """List tasks; a label selector may name their execution."""
    wanted = objects.selected(call)
    found = [_shown_task(call, one) for one in _all(call, "tasks")]
    kept = [one for one in found if wanted.items() <= one["metadata"]["labels"].items()]
    return objects.listing("TaskList", kept, _VERSION)


def _all(call: Call, kind: str) -> list[Resource]:
    region = objects.region(call)
    prefix = f"projects/{objects.project(call)}/locations/{region + '/' if region else ''}"
    return [one for name, one in call.store.under(prefix) if name.split("/")[-2] == kind]


def _somewhere(call: Call, kind: str, short: str) -> Resource | None:
    return next((one for one in _all(call, kind) if one["name"].endswith(f"/{short}")), None)


def _job(call: Call) -> Resource:
    return _named(call, "jobs", "JOB")


def _execution(call: Call) -> Resource:
    return _named(call, "executions", "EXECUTION")


def _named(call: Call, kind: str, word: str) -> Resource:
    short = call["name"].rpartition("/")[2]
    found = _somewhere(call, kind, short)
    if found is None:
        raise ApiError(404, f"Resource '{short}' of kind '{word}' does not exist.")
    return found


def _written(call: Call, name: str, write: Callable[[Call], Resource]) -> Resource:
    """Put the body into v2's words, have v2 write it, and show what came of it."""
    sent = call.body
    outer = sent.get("spec", {}).get("template", {})
    tasks = outer.get("spec", {})
    inner = tasks.get("template", {}).get("spec", {})
    meta = outer.get("metadata", {})
    task = containers.to_v2(inner, meta.get("annotations", {}))
    for one in task["containers"]:
        one["resources"].pop("cpuIdle", None)  # a task always has its CPU
    if "timeoutSeconds" in inner:
        task["timeout"] = f"{inner['timeoutSeconds']}s"
    if "maxRetries" in inner:
        task["maxRetries"] = inner["maxRetries"]
    template: Resource = {
        "template": {key: value for key, value in task.items() if key != "annotations"},
        "labels": objects.plain(meta.get("labels", {})),
        "annotations": task.get("annotations", {}),
    }
    template |= {key: tasks[key] for key in ("taskCount", "parallelism") if tasks.get(key)}
    own = sent.get("metadata", {})
    marks = objects.plain(own.get("annotations", {}))
    labels = objects.plain(own.get("labels", {}))
    call.body = {"template": template, "labels": labels, "annotations": marks}
    call.params["validateOnly"] = call.get("dryRun") == "all"
    write(call)
    found = call.store.find(name)
    return _shown(call, found) if found is not None else sent


def _overrides(sent: Resource) -> Resource:
    made: Resource = {key: sent[key] for key in ("taskCount",) if key in sent}
    if sent.get("timeoutSeconds"):
        made["timeout"] = f"{sent['timeoutSeconds']}s"
    if sent.get("containerOverrides"):
        made["containerOverrides"] = [
            {key: value for key, value in one.items() if key != "env"}
            | ({"env": [containers.variable(item) for item in one["env"]]} if "env" in one else {})
            for one in sent["containerOverrides"]
        ]
    return made


def _template(template: Resource, count: Resource) -> Resource:
    spec, marks = containers.from_v2(template)
    spec["timeoutSeconds"] = str(int(float(template["timeout"].removesuffix("s"))))
    spec["maxRetries"] = template["maxRetries"]
    kept = {key: count[key] for key in ("taskCount", "parallelism") if count.get(key)}
    return {
        "metadata": {"annotations": marks, "labels": count.get("labels", {})},
        "spec": {**kept, "template": {"spec": spec}},
    }


def _shown(call: Call, job: Resource) -> Resource:
    marks = {
        **job.get("annotations", {}),
        "serving.knative.dev/creator": job["creator"],
        "serving.knative.dev/lastModifier": job["lastModifier"],
    }
    status: Resource = {
        "observedGeneration": int(job.get("observedGeneration", 0)),
        "conditions": objects.conditions([job.get("terminalCondition")]),
        "executionCount": job["executionCount"],
    }
    latest = job.get("latestCreatedExecution")
    if latest:
        shown = {"creationTimestamp": "createTime", "completionTimestamp": "completionTime"}
        status["latestCreatedExecution"] = {"name": latest["name"]} | {
            key: latest[field] for key, field in shown.items() if field in latest
        }
        status["latestCreatedExecution"]["completionStatus"] = latest["completionStatus"]
    return {
        "apiVersion": _VERSION,
        "kind": "Job",
        "metadata": objects.metadata(call, job, marks),
        "spec": {"template": _template(job["template"]["template"], job["template"])},
        "status": status,
    }


def _shown_execution(call: Call, one: Resource) -> Resource:
    inner = _template(one["template"], one)
    status: Resource = {
        "observedGeneration": int(one.get("observedGeneration", 0)),
        "conditions": objects.conditions(one["conditions"]),
        "logUri": f"https://console.cloud.google.com/run/jobs/executions/{one['name']}",
    }
    counts = ("succeededCount", "failedCount", "cancelledCount", "retriedCount", "runningCount")
    status |= {key: one[key] for key in (*counts, "startTime", "completionTime") if key in one}
    marks = {**inner["metadata"]["annotations"], "serving.knative.dev/creator": one["creator"]}
    return {
        "apiVersion": _VERSION,
        "kind": "Execution",
        "metadata": objects.metadata(call, one, marks, **{_OF_JOB: one["job"]}),
        "spec": inner["spec"],
        "status": status,
    }


def _shown_task(call: Call, one: Resource) -> Resource:
    spec, marks = containers.from_v2(one)
    status: Resource = {
        "observedGeneration": int(one.get("observedGeneration", 0)),
        "conditions": objects.conditions(one["conditions"]),
        "index": one["index"],
        "retried": one["retried"],
    }
    status |= {key: one[key] for key in ("startTime", "completionTime") if key in one}
    labels = {_OF_JOB: one["job"], _OF_EXECUTION: one["execution"]}
    return {
        "apiVersion": _VERSION,
        "kind": "Task",
        "metadata": objects.metadata(call, {"etag": "", **one}, marks, **labels),
        "spec": spec,
        "status": status,
    }
