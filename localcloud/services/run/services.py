"""run.projects.locations.services: the handlers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from localcloud import iap
from localcloud.errors import ApiError, already_exists, invalid
from localcloud.iap import settings as iap_settings
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.run import names, operations, preflight, rollout, templates, traffic

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

SETTABLE = (
    "annotations",
    "binaryAuthorization",
    "buildConfig",
    "client",
    "clientVersion",
    "customAudiences",
    "defaultUriDisabled",
    "description",
    "iapEnabled",
    "ingress",
    "invokerIamDisabled",
    "labels",
    "launchStage",
    "scaling",
    "template",
    "traffic",
)
"""What a caller decides about a service; the rest is refused or Cloud Run's own."""

_WITHOUT_COUNTERPART = ("multiRegionSettings", "sshEnabled")
_LONGEST_DESCRIPTION = 512
DELETING = "run.deleting"


def create(call: Call) -> Resource:
    """Create a service; its operation ends when the first revision serves."""
    parent = call.cloud.by_id(call["parent"])
    names.check_region(parent.rpartition("/")[2])
    short = names.check_service_id(call.get("serviceId"))
    return _create(call, f"{parent}/services/{short}")


def _create(call: Call, name: str) -> Resource:
    short = name.rpartition("/")[2]
    busy = call.cloud.store.of(DELETING).find(name) is not None
    if busy or call.store.find(name) is not None:
        raise already_exists(f"Resource '{short}' already exists.")
    return _apply(call, fresh(call.cloud, name, call.caller.email), _chosen(call.body))


def get(call: Call) -> Resource:
    """Give a service."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the service a call is about, by its name or resource; 404 if there is none."""
    return names.found(call, "SERVICE")


def listed(call: Call) -> Resource:
    """List the services of a region, or of all of them with ``-``."""
    parent = call.cloud.by_id(call["parent"])
    if parent.endswith("/-"):
        prefix = parent[:-1]
        found = [one for name, one in call.store.under(prefix) if is_service(name)]
    else:
        names.check_region(parent.rpartition("/")[2])
        found = call.store.children(f"{parent}/services/")
    return page(call, found, "services")


def is_service(name: str) -> bool:
    """Tell whether a name in the store is a service's, and not one of something in it."""
    parts = name.split("/")
    return len(parts) == 6 and parts[4] == "services"  # noqa: PLR2004 - projects/p/locations/r/…


def patch(call: Call) -> Resource:
    """Change a service, or with allowMissing create it."""
    name = call.cloud.by_id(call["name"])
    current = call.store.find(name)
    if current is None:
        if not call.get("allowMissing"):
            return fetch(call)
        call.require("run.services.create", name)
        names.check_region(name.split("/")[3])
        names.check_service_id(name.rpartition("/")[2])
        return _create(call, name)
    names.check_etag(current, call.body.get("etag"))
    paths = call.mask()
    for path in paths:
        if path != "*" and path.partition(".")[0] not in SETTABLE:
            raise invalid(f"Invalid update mask: {path!r} is not a field that can be updated.")
    body = _chosen(call.body)
    before = _chosen(current)
    after = merged(before, body, paths) if paths and paths != ["*"] else body
    return _apply(call, current, after)


def delete(call: Call) -> Resource:
    """Delete a service: gone at once for readers, its name free when the operation ends."""
    service = fetch(call)
    names.check_etag(service, call.get("etag"))
    name = service["name"]
    service["deleteTime"] = call.now
    if call.get("validateOnly"):
        return operations.finished(call, name, service, operations.SERVICE)
    withdraw(call.cloud, name)

    def work() -> Resource:
        wind_up(call.cloud, name)
        return service

    return operations.start(call, service, work, operations.SERVICE)


def withdraw(cloud: Cloud, name: str) -> None:
    """Take a service away from readers; its name is not free yet."""
    store = cloud.store.of("run")
    with store.lock():
        store.delete_tree(name)
        cloud.store.of(DELETING).put(name, {})
        cloud.iam.forget(f"//run.googleapis.com/{name}")
        iap_settings.forget(cloud, iap.cloud_run(cloud, name).name)


def wind_up(cloud: Cloud, name: str) -> None:
    """Stop what still runs of a withdrawn service and free its name."""
    cloud.ingress.fleet.remove(name)
    if cloud.store.of(DELETING).find(name) is not None:
        cloud.store.of(DELETING).delete(name)


def _chosen(body: Resource) -> Resource:
    """Return what the caller decides; what only Google's side could honour is refused."""
    for field in _WITHOUT_COUNTERPART:
        if body.get(field):
            raise ApiError(
                501, f"The field {field} has no local counterpart.", status="UNIMPLEMENTED"
            )
    return {key: body[key] for key in SETTABLE if key in body}


def _apply(call: Call, current: Resource, wanted: Resource) -> Resource:
    """Make *wanted* the desired state of the service and start to bring it about."""
    name = current["name"]
    changed = desired(call.cloud, current, wanted, call.caller.email)
    if wanted.get("invokerIamDisabled") and not current.get("invokerIamDisabled"):
        call.require("run.services.setIamPolicy", name)
    preflight.check_deployer(call, changed["template"])
    if call.get("validateOnly"):
        changed |= {"reconciling": False, "etag": names.etag(changed)}
        return operations.finished(call, name, changed, operations.SERVICE)
    force = bool(call.get("forceNewRevision"))
    changed = rollout.begin(call.cloud, current, changed, force=force)
    generation = changed["generation"]
    return operations.start(
        call, changed, lambda: rollout.finish(call.cloud, name, generation), operations.SERVICE
    )


def desired(cloud: Cloud, current: Resource, wanted: Resource, actor: str) -> Resource:
    """Return the next generation of a service; refused if Cloud Run would refuse it."""
    name = current["name"]
    changed = {key: value for key, value in current.items() if key not in SETTABLE}
    changed |= _completed(cloud, name, wanted)
    hosts = names.hosts(name, cloud.number)
    changed |= {
        "generation": str(int(current["generation"]) + 1),
        "updateTime": cloud.clock.rfc3339(),
        "lastModifier": actor,
        "urls": [f"https://{host}" for host in hosts],
        "uri": f"https://{hosts[1]}",
        "reconciling": True,
    }
    if changed.get("defaultUriDisabled"):
        # a service without its default address has none to show
        del changed["urls"], changed["uri"]
    traffic.check(cloud.store.of("run"), changed)
    return changed


def fresh(cloud: Cloud, name: str, actor: str) -> Resource:
    """Return what a service is before its first generation."""
    return {
        "name": name,
        "uid": str(uuid.uuid4()),
        "generation": "0",
        "createTime": cloud.clock.rfc3339(),
        "creator": actor,
    }


def _completed(cloud: Cloud, name: str, wanted: Resource) -> Resource:
    """Return the caller's choice with Cloud Run's defaults, or refuse it."""
    templates.check_marks(wanted, "service")
    if len(wanted.get("description", "")) > _LONGEST_DESCRIPTION:
        raise invalid("service.description: must be at most 512 characters")
    template: dict[str, Any] = templates.complete_revision(
        wanted.get("template", {}), preflight.default_account(cloud)
    )
    revision = template.get("revision")
    short = name.rpartition("/")[2]
    if revision and not revision.startswith(f"{short}-"):
        raise invalid(
            f"template.revision: must start with the service's name and a hyphen: {short}-"
        )
    made = {"ingress": "INGRESS_TRAFFIC_ALL", "launchStage": "GA", **wanted, "template": template}
    made["traffic"] = wanted.get("traffic") or [
        {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
    ]
    return made
