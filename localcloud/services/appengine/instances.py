"""appengine.apps.services.versions.instances: what runs of a version at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import not_found
from localcloud.service import page
from localcloud.services.appengine import names, operations, versions

if TYPE_CHECKING:
    from localcloud.machines.containers.workload import Instance
    from localcloud.service import Call
    from localcloud.store import Resource


def listed(call: Call) -> Resource:
    """List the instances."""
    version = versions.fetch(call)
    return page(call, [_shown(call, version, one) for one in _running(call, version)], "instances")


def get(call: Call) -> Resource:
    """Give one instance."""
    version = versions.fetch(call)
    return _shown(call, version, _found(call, version))


def delete(call: Call) -> Resource:
    """End an instance; another is started where the scaling wants it."""
    version = versions.fetch(call)
    found = _found(call, version)
    name = version["name"]

    def work() -> None:
        found.stop()
        call.cloud.ingress.fleet.settle(name.rpartition("/versions/")[0])

    target = f"{name}/instances/{found.id}"
    return operations.start(call, "Instances.DeleteInstance", target, work, None)


def _running(call: Call, version: Resource) -> list[Instance]:
    found: list[Instance] = call.cloud.ingress.fleet.pool(version["name"]).running()
    return found


def _found(call: Call, version: Resource) -> Instance:
    for one in _running(call, version):
        if one.id == call["instancesId"]:
            return one
    raise not_found(f"Instance '{call['instancesId']}' not found.")


def _shown(call: Call, version: Resource, instance: Instance) -> Resource:
    app = call.store.fetch(names.app_of(call))
    return {
        "name": f"{version['name']}/instances/{instance.id}",
        "id": instance.id,
        "appEngineRelease": version["id"],
        "availability": "RESIDENT",
        "vmName": instance.id,
        "vmZoneName": f"{names.region(app['locationId'])}-b",
        "vmStatus": "RUNNING",
        "vmIp": "127.0.0.1",
        "vmLiveness": "HEALTHY",
        "startTime": version["createTime"],
    }
