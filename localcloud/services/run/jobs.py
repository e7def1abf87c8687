"""run.projects.locations.jobs: the handlers."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.errors import already_exists, invalid
from localcloud.machines.containers.workload import ContainerError
from localcloud.service import page
from localcloud.services.run import executions, names, operations, preflight, templates
from localcloud.services.run.conditions import FAILED, RECONCILING, SUCCEEDED, condition

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

SETTABLE = (
    "annotations",
    "binaryAuthorization",
    "client",
    "clientVersion",
    "labels",
    "launchStage",
    "template",
)
"""What a caller decides about a job."""


def create(call: Call) -> Resource:
    """Create a job; nothing runs until it is told to."""
    parent = call.cloud.by_id(call["parent"])
    names.check_region(parent.rpartition("/")[2])
    short = names.check_job_id(call.get("jobId"))
    return _create(call, f"{parent}/jobs/{short}")


def _create(call: Call, name: str) -> Resource:
    if call.store.find(name) is not None:
        raise already_exists(f"Resource '{name.rpartition('/')[2]}' already exists.")
    fresh: Resource = {
        "name": name,
        "uid": str(uuid.uuid4()),
        "generation": "0",
        "createTime": call.now,
        "creator": call.caller.email,
        "executionCount": 0,
    }
    return _apply(call, fresh)


def get(call: Call) -> Resource:
    """Give a job."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the job a call is about; 404 if there is none."""
    return names.found(call, "JOB")


def listed(call: Call) -> Resource:
    """List the jobs of a region."""
    parent = call.cloud.by_id(call["parent"])
    return page(call, call.store.children(f"{parent}/jobs/"), "jobs")


def patch(call: Call) -> Resource:
    """Replace a job, or with allowMissing create it."""
    name = call.cloud.by_id(call["name"])
    current = call.store.find(name)
    if current is None:
        if not call.get("allowMissing"):
            return fetch(call)
        call.require("run.jobs.create", name)
        names.check_job_id(name.rpartition("/")[2])
        return _create(call, name)
    names.check_etag(current, call.body.get("etag"))
    return _apply(call, current)


def delete(call: Call) -> Resource:
    """Delete a job with its executions."""
    job = fetch(call)
    names.check_etag(job, call.get("etag"))
    name = job["name"]
    if call.get("validateOnly"):
        return operations.finished(call, name, job, operations.JOB)
    with call.cloud.store.lock():
        call.store.delete_tree(name)
        call.cloud.iam.forget(f"//{call.service.host}/{name}")
    job["deleteTime"] = call.now

    def work() -> Resource:
        call.cloud.machines.containers.cancel(f"{name}/")
        return job

    return operations.start(call, job, work, operations.JOB)


def run(call: Call) -> Resource:
    """Run the job once; its operation ends when the execution does."""
    job = fetch(call)
    names.check_etag(job, call.body.get("etag"))
    overrides = call.body.get("overrides", {})
    if overrides:
        call.require("run.jobs.runWithOverrides", job["name"])
    template = _overridden(job["template"], overrides)
    if call.body.get("validateOnly"):
        shown = executions.fresh(call, job, template)
        return operations.finished(call, job["name"], shown, operations.EXECUTION)
    execution = executions.begin(call, job, template)
    name = execution["name"]
    return operations.start(
        call, execution, lambda: executions.carry_out(call.cloud, name), operations.EXECUTION
    )


def _overridden(template: Resource, overrides: Resource) -> Resource:
    made: dict[str, Any] = json.loads(json.dumps(template))
    if "taskCount" in overrides:
        made["taskCount"] = overrides["taskCount"]
    if "timeout" in overrides:
        made["template"]["timeout"] = overrides["timeout"]
    containers = made["template"]["containers"]
    for override in overrides.get("containerOverrides", []):
        name = override.get("name", "")
        found = [one for one in containers if name in {"", one.get("name", "")}]
        if not found:
            raise invalid(f"overrides: the job has no container {name!r}")
        container = found[0]
        if override.get("clearArgs"):
            container.pop("args", None)
        if override.get("args"):
            container["args"] = override["args"]
        if not all(variable.get("name") for variable in override.get("env", [])):
            raise invalid("overrides: each environment variable needs a name.")
        changed = {variable["name"] for variable in override.get("env", [])}
        kept = [one for one in container.get("env", []) if one["name"] not in changed]
        if changed:
            container["env"] = [*kept, *override["env"]]
    return made


def _apply(call: Call, current: Resource) -> Resource:
    name = current["name"]
    wanted = {key: call.body[key] for key in SETTABLE if key in call.body}
    templates.check_marks(wanted, "job")
    outer = dict(wanted.get("template", {}))
    templates.check_marks(outer, "job.template")
    outer["template"] = templates.complete_task(
        outer.get("template", {}), preflight.default_account(call.cloud)
    )
    outer.setdefault("taskCount", 1)
    preflight.check_deployer(call, outer["template"])
    changed = {key: value for key, value in current.items() if key not in SETTABLE}
    changed |= {"launchStage": "GA", **wanted, "template": outer}
    changed |= {
        "generation": str(int(current["generation"]) + 1),
        "updateTime": call.now,
        "lastModifier": call.caller.email,
        "reconciling": True,
        "terminalCondition": condition("Ready", RECONCILING, call.now),
    }
    changed["etag"] = names.etag(changed)
    if call.get("validateOnly"):
        return operations.finished(call, name, changed, operations.JOB)
    call.store.put(name, changed)
    generation = changed["generation"]
    return operations.start(
        call, changed, lambda: settle(call.cloud, name, generation), operations.JOB
    )


def settle(cloud: Cloud, name: str, generation: str) -> Resource | None:
    """See that the job could run: its image is there and its secrets can be read."""
    store = cloud.store.of("run")
    job = store.find(name)
    if job is None or job["generation"] != generation:
        return job
    template = job["template"]["template"]
    refusal: ContainerError | None = None
    try:
        preflight.resolve_images(cloud, template)
        preflight.check_secrets(cloud, template)
    except ContainerError as error:
        refusal = error
    now = cloud.clock.rfc3339()

    def mark(one: Resource) -> Resource:
        state, message = (FAILED, str(refusal)) if refusal else (SUCCEEDED, "")
        reason = refusal.reason if refusal else ""
        one["terminalCondition"] = condition("Ready", state, now, reason=reason, message=message)
        one |= {"reconciling": False, "observedGeneration": one["generation"]}
        return one | {"etag": names.etag(one)}

    settled = store.update(name, mark)
    if refusal is not None:
        raise executions.failed(str(refusal))
    return settled
