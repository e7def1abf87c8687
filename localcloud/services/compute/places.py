"""The project, its regions and zones, as Compute Engine sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.listing import listed

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_ZONES = {"europe-west1": "bcd", "us-east1": "bcd"}
"""The letters of a region's zones; elsewhere a, b and c."""

_SINCE = "1969-12-31T16:00:00.000-08:00"
"""What Google says regions and zones were made."""


def project(call: Call) -> Resource:
    """Show the project."""
    key = names.project(call)
    if key != f"projects/{call.cloud.project}":
        raise names.unknown(key)
    found = call.cloud.store.of("cloudresourcemanager").fetch(key)
    return {
        "kind": "compute#project",
        "id": names.number(key),
        "name": call.cloud.project,
        "selfLink": names.link(key),
        "creationTimestamp": found["createTime"],
        "commonInstanceMetadata": {"kind": "compute#metadata"},
        "defaultServiceAccount": f"{call.cloud.number}-compute@developer.gserviceaccount.com",
        "defaultNetworkTier": "PREMIUM",
        "cloudArmorTier": "CA_STANDARD",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
    }


def region(call: Call) -> Resource:
    """Show a region."""
    name = call["region"]
    if name not in names.REGIONS:
        raise names.unknown(f"{names.project(call)}/regions/{name}")
    return _region(call, name)


def regions(call: Call) -> Resource:
    """List the regions."""
    found = [_region(call, name) for name in names.REGIONS]
    return listed(call, found, "compute#regionList", f"{names.project(call)}/regions")


def zone(call: Call) -> Resource:
    """Show a zone."""
    for one in _all_zones(call):
        if one["name"] == call["zone"]:
            return one
    raise names.unknown(f"{names.project(call)}/zones/{call['zone']}")


def zones(call: Call) -> Resource:
    """List the zones."""
    return listed(call, _all_zones(call), "compute#zoneList", f"{names.project(call)}/zones")


def _all_zones(call: Call) -> list[Resource]:
    place = names.project(call)
    return [
        {
            **_described(f"{place}/zones/{name}", "compute#zone"),
            "region": names.link(f"{place}/regions/{name.rpartition('-')[0]}"),
        }
        for region in names.REGIONS
        for name in _zones(region)
    ]


def _region(call: Call, name: str) -> Resource:
    place = names.project(call)
    return {
        **_described(f"{place}/regions/{name}", "compute#region"),
        "zones": [names.link(f"{place}/zones/{one}") for one in _zones(name)],
    }


def _zones(region: str) -> list[str]:
    return [f"{region}-{letter}" for letter in _ZONES.get(region, "abc")]


def _described(key: str, kind: str) -> Resource:
    name = key.rpartition("/")[2]
    return {
        "kind": kind,
        "id": names.number(key),
        "name": name,
        "description": name,
        "status": "UP",
        "selfLink": names.link(key),
        "creationTimestamp": _SINCE,
    }
