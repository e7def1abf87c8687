"""appengine.apps.services.patch: which version gets which share, and who may reach the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import invalid
from localcloud.merge import merged
from localcloud.services.appengine import names, operations, services

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_SETTABLE = frozenset({"labels", "networkSettings", "split"})
_DIGITS = {"IP": 2, "COOKIE": 3, "RANDOM": 3}
_CLOSE = 1e-6


def patch(call: Call) -> Resource:
    """Change the split of the traffic, the network settings or the labels of a service."""
    current = services.fetch(call)
    paths = call.mask()
    if not paths:
        raise invalid("An update mask is required.")
    for path in paths:
        if path.partition(".")[0] not in _SETTABLE:
            raise invalid(f"Invalid update mask: '{path}' is not a field that can be updated.")
    if call.get("migrateTraffic"):
        raise invalid(
            "Gradual traffic migration is not supported in the App Engine flexible environment."
        )
    changed = merged(current, call.body, paths)
    changed["split"] = _checked(call, changed)
    name = current["name"]

    def work() -> Resource:
        kept = call.store.put(name, changed)
        call.cloud.ingress.fleet.settle(name)
        return kept

    return operations.start(call, "Services.UpdateService", name, work, "Service")


def _checked(call: Call, service: Resource) -> Resource:
    split = service.get("split", {})
    by = split.get("shardBy", "IP")
    by = "IP" if by == "UNSPECIFIED" else by
    shares = {version: float(share) for version, share in split.get("allocations", {}).items()}
    if not shares:
        raise invalid("Traffic split must have at least one allocation.")
    for version, share in shares.items():
        found = call.store.find(f"{service['name']}/versions/{version}")
        if found is None:
            raise invalid(f"Version '{version}' does not exist in service '{service['id']}'.")
        if not 0 < share <= 1:
            raise invalid(f"The allocation of version '{version}' must be more than 0, at most 1.")
        if abs(share - round(share, _DIGITS[by])) > _CLOSE:
            raise invalid(
                f"Allocations by {by} may have at most {_DIGITS[by]} digits after the point."
            )
    if abs(sum(shares.values()) - 1) > _CLOSE:
        raise invalid(f"The sum of all allocations must be 1, it is {sum(shares.values()):g}.")
    return {"shardBy": by, "allocations": shares}


def of_first(version: str) -> Resource:
    """Give the split of a service that has one version."""
    return {"allocations": {version.rpartition("/")[2]: 1}}


def fresh(name: str, version: str) -> Resource:
    """Give a service as its first version makes it."""
    short = name.rpartition("/")[2]
    return {"name": name, "id": names.check_service_id(short), "split": of_first(version)}
