"""cloudfunctions.projects.locations.functions: the handlers."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, already_exists, invalid, not_found
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.cloudfunctions import builds, deployment, triggers
from localcloud.services.run.names import check_region
from localcloud.services.run.preflight import default_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

SETTABLE = (
    "buildConfig",
    "description",
    "environment",
    "eventTrigger",
    "labels",
    "serviceConfig",
)
"""What a caller decides about a function."""

_FUNCTION = "google.cloud.functions.v2.Function"
_METADATA = "google.cloud.functions.v2.OperationMetadata"
_ID = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
_WITHOUT_COUNTERPART = ("kmsKeyName",)


def create(call: Call) -> Resource:
    """Create a function: build it, and deploy it as a Cloud Run service."""
    parent = call.cloud.by_id(call["parent"])
    check_region(parent.rpartition("/")[2])
    short = call.get("functionId") or ""
    if _ID.fullmatch(short) is None:
        raise invalid(
            f"Invalid function name {short!r}: at most 49 lowercase letters, digits and hyphens, "
            "beginning with a letter and not ending with a hyphen"
        )
    name = f"{parent}/functions/{short}"
    if call.store.find(name) is not None:
        raise already_exists(f"Function {name} already exists.")
    service = name.replace("/functions/", "/services/")
    if call.cloud.store.of("run").find(service) is not None:
        raise already_exists(
            f"Could not create Cloud Run service {short}. A Cloud Run service with this name "
            "already exists. Please redeploy the function with a different name."
        )
    return _apply(call, {"name": name, "createTime": call.now}, _chosen(call.body), "CREATE")


def get(call: Call) -> Resource:
    """Give a function."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the function a call is about; 404 if there is none."""
    name = call.cloud.by_id(call.get("name") or call.get("resource"))
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Resource '{name}' was not found")
    return found


def listed(call: Call) -> Resource:
    """List the functions of a region, or of all of them with ``-``."""
    parent = call.cloud.by_id(call["parent"])
    if call.get("orderBy"):
        raise ApiError(501, "orderBy has no local counterpart for functions")
    if parent.endswith("/-"):
        under = call.store.under(parent.removesuffix("-"))
        found = [one for name, one in under if name.split("/")[-2] == "functions"]
    else:
        found = call.store.children(f"{parent}/functions/")
    return page(call, filtered(found, call.get("filter")), "functions")


def patch(call: Call) -> Resource:
    """Change a function; built again only if its build changed."""
    current = fetch(call)
    paths = call.mask()
    for path in paths:
        if path != "*" and path.partition(".")[0] not in SETTABLE:
            raise invalid(f"Invalid update mask: {path!r} is not a field that can be updated.")
    before = _chosen(current)
    after = merged(before, _chosen(call.body), [path for path in paths if path != "*"])
    return _apply(call, current, after, "UPDATE")


def delete(call: Call) -> Resource:
    """Delete a function and its Cloud Run service."""
    function = fetch(call)
    name = function["name"]
    call.store.update(name, lambda one: one | {"state": "DELETING"})

    def work() -> None:
        triggers.disconnect(call.cloud, name)
        deployment.remove(call.cloud, function)
        call.store.delete(name)
        call.cloud.iam.forget(f"//{call.service.host}/{name}")

    return _start(call, name, "DELETE", work, "google.protobuf.Empty")


def resume(cloud: Cloud) -> None:
    """Conclude what was interrupted when the local cloud was stopped."""
    store = cloud.store.of("cloudfunctions")
    for name, function in store.under("projects/"):
        if function.get("state") == "DELETING":
            triggers.disconnect(cloud, name)
            deployment.remove(cloud, function)
            store.delete(name)
        elif function.get("state") == "DEPLOYING":
            message = "The deployment was interrupted: the local cloud was stopped meanwhile."
            said = {"severity": "ERROR", "type": "DeploymentFailed", "message": message}
            store.put(name, function | {"state": "FAILED", "stateMessages": [said]})


def _chosen(body: Resource) -> Resource:
    for field in _WITHOUT_COUNTERPART:
        if body.get(field):
            raise ApiError(501, f"The field {field} has no local counterpart.")
    return {key: body[key] for key in SETTABLE if key in body}


def _apply(call: Call, current: Resource, wanted: Resource, verb: str) -> Resource:
    name = current["name"]
    build = dict(wanted.get("buildConfig", {}))
    if wanted.get("environment", "GEN_2") != "GEN_2":
        raise ApiError(501, "Only functions of the second generation have a local counterpart.")
    builds.check_runtime(build.get("runtime"))
    builds.check_variables(build.get("environmentVariables", {}))
    source = build.get("source", {}).get("storageSource", {})
    if not source.get("bucket") or not source.get("object"):
        raise invalid("Invalid value for build_config.source: storage_source must be set")
    build.setdefault("entryPoint", name.rpartition("/")[2])
    build.setdefault("dockerRegistry", "ARTIFACT_REGISTRY")
    account = build.get("serviceAccount", "").rpartition("/")[2] or default_account(call.cloud)
    build["serviceAccount"] = f"projects/{call.cloud.project}/serviceAccounts/{account}"
    config = deployment.complete(call.cloud, wanted.get("serviceConfig", {}), name.split("/")[3])
    wanted = {**wanted, **_triggered(call, current, wanted)}
    acted = (account, config["serviceAccountEmail"], _trigger_account(wanted))
    for email in dict.fromkeys(email for email in acted if email):
        _check_acts_as(call, email)
    changed = {key: value for key, value in current.items() if key not in SETTABLE}
    changed |= {**wanted, "environment": "GEN_2", "buildConfig": build, "serviceConfig": config}
    changed |= {"state": "DEPLOYING", "updateTime": call.now}
    changed.pop("stateMessages", None)
    again = current.get("buildConfig") != build or current.get("state") != "ACTIVE"
    kept = {key: current.get("serviceConfig", {}).get(key) for key in deployment.OBSERVED}
    config |= {key: value for key, value in kept.items() if value}
    deployment.service(call.cloud, changed, "checked/before:build")  # refused now, not later
    call.store.put(name, changed)
    email = call.caller.email

    def work() -> Resource:
        return _deploy(call, changed, account, email, build_again=again)

    return _start(call, name, verb, work, _FUNCTION)


def _triggered(call: Call, current: Resource, wanted: Resource) -> Resource:
    """Return the event trigger, completed; a function cannot become another kind of function."""
    before, after = current.get("eventTrigger"), wanted.get("eventTrigger")
    if "serviceConfig" in current and bool(before) != bool(after):
        raise invalid("The trigger type of a function cannot be changed; deploy it anew.")
    if not after:
        return {}
    made = triggers.complete(call.cloud, current["name"], after)
    return {"eventTrigger": made | {key: before[key] for key in triggers.OBSERVED if before}}


def _trigger_account(function: Resource) -> str:
    return str(function.get("eventTrigger", {}).get("serviceAccountEmail", ""))


def _deploy(
    call: Call, function: Resource, account: str, actor: str, *, build_again: bool
) -> Resource:
    name = function["name"]
    try:
        if build_again:
            number = call.store.next_number(f"{name}/versions")
            _, project, _, region, _, short = name.split("/")
            reference = (
                f"{region}-docker.pkg.dev/{project}/gcf-artifacts/"
                f"{project}__{region}__{short}:version_{number}"
            )
            builds.build(call.cloud, function, account, reference)
            function["buildConfig"]["build"] = (
                f"projects/{call.cloud.number}/locations/{region}/builds/{uuid.uuid4()}"
            )
            call.store.put(f"{name}/image", {"reference": reference})
        reference = call.store.fetch(f"{name}/image")["reference"]
        function["serviceConfig"] |= deployment.deploy(call.cloud, function, reference, actor)
        triggers.connect(call.cloud, function)
    except ApiError as error:
        said = {"severity": "ERROR", "type": "DeploymentFailed", "message": error.message}
        if call.store.find(name) is not None:
            failed = {"state": "FAILED", "stateMessages": [said]}
            call.store.update(name, lambda one: one | failed)
        raise
    _, project, _, region, _, short = name.split("/")
    function |= {
        "state": "ACTIVE",
        "url": f"https://{region}-{project}.cloudfunctions.net/{short}",
        "updateTime": call.now,
    }
    return call.store.put(name, function)


def _check_acts_as(call: Call, email: str) -> None:
    resource = f"projects/{call.cloud.project}/serviceAccounts/{email}"
    if call.cloud.account_exists(email) and call.cloud.iam.allowed(
        call.caller.member, "iam.serviceAccounts.actAs", "iam", resource
    ):
        return
    raise ApiError(
        403,
        f"Caller {call.caller.email} is missing permission 'iam.serviceaccounts.actAs' on service "
        f"account {resource}. Grant the role 'roles/iam.serviceAccountUser' to the caller on the "
        f"service account {resource}.",
    )


def _start(
    call: Call, name: str, verb: str, work: Callable[[], Resource | None], kind: str
) -> Resource:
    where = "/".join(name.split("/")[:4])
    return call.cloud.operations.start(
        call,
        name=f"{where}/operations/operation-{uuid.uuid4()}",
        metadata={
            "@type": f"type.googleapis.com/{_METADATA}",
            "createTime": call.now,
            "target": name,
            "verb": verb.lower(),
            "cancelRequested": False,
            "apiVersion": "v2",
            "operationType": f"{verb}_FUNCTION",
        },
        work=work,
        response_type=kind,
    )
