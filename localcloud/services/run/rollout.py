"""Brings a service to its desired state: makes the revision, proves it, moves the traffic."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.machines.containers.workload import ContainerError
from localcloud.services.run import names, preflight, traffic
from localcloud.services.run.conditions import FAILED, RECONCILING, SUCCEEDED, condition, several

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Collection, Resource

# What of the template a revision has under the same name.
_COPIED = (
    "containers",
    "volumes",
    "serviceAccount",
    "timeout",
    "maxInstanceRequestConcurrency",
    "scaling",
    "executionEnvironment",
    "sessionAffinity",
    "vpcAccess",
    "labels",
    "annotations",
)
_SERVICE_PARTS = ("RoutesReady", "ConfigurationsReady")
_REVISION_PARTS = ("ResourcesAvailable", "ContainerHealthy")


def begin(cloud: Cloud, before: Resource, service: Resource, *, force: bool = False) -> Resource:
    """Store the desired state, with a new revision if the template (or *force*) asks for one."""
    now = cloud.clock.rfc3339()
    store = cloud.store.of("run")
    anew = force or before.get("template") != service["template"]
    service["terminalCondition"] = condition("Ready", RECONCILING, now)
    service["conditions"] = several(_SERVICE_PARTS, RECONCILING, now)
    with store.lock():
        if anew or not before.get("latestCreatedRevision"):
            revision = _revision(store, service, now)
            store.put(revision["name"], revision)
            service["latestCreatedRevision"] = revision["name"]
        service["etag"] = names.etag(service)
        return store.put(service["name"], service)


def _revision(store: Collection, service: Resource, now: str) -> Resource:
    template = service["template"]
    parent = service["name"]
    number = store.next_number(f"{service['uid']}/revisions")
    short = template.get("revision")
    if not short:
        short = f"{parent.rpartition('/')[2]}-{number:05d}-{names.random_suffix(3)}"
    name = f"{parent}/revisions/{short}"
    if store.find(name) is not None:
        raise ApiError(
            409,
            f"Revision named '{short}' with different configuration already exists.",
            status="ALREADY_EXISTS",
        )
    made: Resource = {
        "name": name,
        "uid": str(uuid.uuid4()),
        "generation": "1",
        "observedGeneration": "1",
        "createTime": now,
        "updateTime": now,
        "service": parent.rpartition("/")[2],
        "launchStage": "GA",
        "reconciling": True,
        "conditions": several(("Ready", *_REVISION_PARTS), RECONCILING, now),
    }
    made |= {key: template[key] for key in _COPIED if key in template}
    made["etag"] = names.etag(made)
    return made


def finish(cloud: Cloud, name: str, generation: str) -> Resource:
    """Prove the latest revision and give it its traffic; the work of the operation."""
    store = cloud.store.of("run")
    service = store.find(name)
    if service is None:
        raise ApiError(
            409, f"Resource '{name.rpartition('/')[2]}' was deleted meanwhile.", status="ABORTED"
        )
    if service["generation"] != generation:
        return service  # a later change took over; its own operation reports on it
    revision = store.fetch(service["latestCreatedRevision"])
    if revision["reconciling"]:
        _prove(cloud, store, revision)
        revision = store.fetch(revision["name"])
    broken, blocked = _failure(revision), _blocked(store, service)
    if broken or blocked:
        raise _give_up(cloud, name, broken, blocked)
    return _serve(cloud, name, revision["name"])


@dataclass(frozen=True)
class _Failure:
    """Why a revision cannot serve."""

    reason: str
    message: str


def _failure(revision: Resource) -> _Failure | None:
    found = next((one for one in revision["conditions"] if one["state"] == FAILED), None)
    if found is None:
        return None
    short = revision["name"].rpartition("/")[2]
    return _Failure(
        found.get("reason") or found.get("revisionReason") or "",
        f"Revision '{short}' is not ready and cannot serve traffic. {found.get('message', '')}",
    )


def _blocked(store: Collection, service: Resource) -> _Failure | None:
    """Tell why traffic cannot go where it should: a revision it names cannot serve."""
    wanted = [target["revision"] for target in service["traffic"] if target.get("revision")]
    revisions = [store.find(f"{service['name']}/revisions/{short}") for short in wanted]
    failures = (_failure(revision) for revision in revisions if revision is not None)
    return next((failure for failure in failures if failure is not None), None)


def _prove(cloud: Cloud, store: Collection, revision: Resource) -> None:
    """See that a revision can run, and write down what came of it."""
    name = revision["name"]
    try:
        images = preflight.resolve_images(cloud, revision)
        store.update(name, lambda one: one | {"containerStatuses": images})
        preflight.check_secrets(cloud, revision)
        preflight.check_network(cloud, revision, name.split("/")[3])
        cloud.ingress.fleet.prove(name)
    except ContainerError as error:
        message = str(error)
        if error.log:
            message += f"\n\nThe last lines of its log:\n{error.log}"
        conditions = _failed(error.reason, message, cloud.clock.rfc3339())
    else:
        conditions = several(("Ready", *_REVISION_PARTS), SUCCEEDED, cloud.clock.rfc3339())
    if store.find(name) is None:
        return  # deleted meanwhile

    def settle(one: Resource) -> Resource:
        one |= {"conditions": conditions, "reconciling": False}
        one["updateTime"] = cloud.clock.rfc3339()
        return one | {"etag": names.etag(one)}

    store.update(name, settle)


def _failed(reason: str, message: str, now: str) -> list[Resource]:
    broken = "ContainerHealthy" if "CONTAINER" in reason else "ResourcesAvailable"
    made = several(("Ready", broken), FAILED, now, reason=reason, message=message)
    kept = [part for part in _REVISION_PARTS if part != broken]
    return [*made, *several(kept, SUCCEEDED, now)]


def _give_up(
    cloud: Cloud, name: str, broken: _Failure | None, blocked: _Failure | None
) -> ApiError:
    """Mark the service; traffic goes where it should if revisions that can serve are there.

    The latest revision is *broken*, or traffic is *blocked*; whatever served before serves on.
    """
    now = cloud.clock.rfc3339()

    def part(kind: str, why: _Failure | None) -> Resource:
        if why is None:
            return condition(kind, SUCCEEDED, now)
        return condition(kind, FAILED, now, reason=why.reason, message=why.message)

    def mark(service: Resource) -> Resource:
        if broken is None:
            service["latestReadyRevision"] = service["latestCreatedRevision"]
        routes = blocked or (None if traffic.statuses(service, cloud.number) else broken)
        if routes is None:
            service["trafficStatuses"] = traffic.statuses(service, cloud.number)
        service["terminalCondition"] = part("Ready", broken or blocked)
        service["conditions"] = [part("RoutesReady", routes), part("ConfigurationsReady", broken)]
        service |= {"reconciling": False, "observedGeneration": service["generation"]}
        return service | {"etag": names.etag(service)}

    cloud.store.of("run").update(name, mark)
    cloud.ingress.fleet.settle(name)
    why = broken or blocked
    return ApiError(400, why.message if why else "", status="FAILED_PRECONDITION")


def _serve(cloud: Cloud, name: str, revision: str) -> Resource:
    now = cloud.clock.rfc3339()

    def mark(service: Resource) -> Resource:
        service["latestReadyRevision"] = revision
        service["trafficStatuses"] = traffic.statuses(service, cloud.number)
        service["terminalCondition"] = condition("Ready", SUCCEEDED, now)
        service["conditions"] = several(_SERVICE_PARTS, SUCCEEDED, now)
        service |= {"reconciling": False, "observedGeneration": service["generation"]}
        return service | {"etag": names.etag(service)}

    service = cloud.store.of("run").update(name, mark)
    cloud.ingress.fleet.settle(name)
    return service
