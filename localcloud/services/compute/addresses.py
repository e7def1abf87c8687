"""Addresses: external ones that forwarding rules listen on, ranges for private services access."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from localcloud.clock import VirtualClock
from localcloud.doors import loopback
from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind, no_labels
from localcloud.services.compute.methods import users, with_labels
from localcloud.services.compute.networks import founded, overlapping, ranges

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

PORTS = (443, 80)
"""What must be free on an address that is given out."""

_RANGES = ipaddress.IPv4Network("10.224.0.0/11")
"""Where ranges are looked for that nobody named."""

_PEERING = "VPC_PEERING"
_LONGEST, _SHORTEST = 29, 8


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete an address."""
    no_labels(body)
    kind = body.get("addressType", "EXTERNAL")
    if kind == "INTERNAL" and before is None and call.get("region") is None:
        # besides the right to make addresses at all
        call.require("compute.globalAddresses.createInternal", names.project(call))
    if kind == "EXTERNAL":
        made = _external(call, body)
    elif body.get("purpose") == _PEERING and call.get("region") is None:
        made = _range(call, body)
    else:
        raise names.not_here("address of type", f"{kind} {body.get('purpose', '')}".strip())
    return with_labels({**body, **made, "addressType": kind, "status": "RESERVED"})


def shown(cloud: Cloud, stored: Resource) -> Resource:
    """Show an address with who uses it."""
    by = users(cloud, names.key_of(stored["selfLink"]))
    if stored.get("purpose") == _PEERING:
        return stored
    return (
        {**stored, "status": "IN_USE", "users": [names.link(one) for one in by]} if by else stored
    )


def chosen(cloud: Cloud, key: str) -> str:
    """Choose an external address nobody else has."""
    known = cloud.store.of("compute").under(f"projects/{cloud.project}/")
    taken = {str(one.get("address") or one.get("IPAddress")) for _, one in known}
    real = not isinstance(cloud.clock, VirtualClock)
    return loopback.address(cloud, key, ports=PORTS, taken=taken, listening=real)


def _external(call: Call, body: Resource) -> Resource:
    for field in ("address", "subnetwork", "network", "prefixLength"):
        if body.get(field):
            raise names.wrong(
                f"resource.{field}", body[field], "It cannot be set for an external address."
            )
    if body.get("purpose"):
        raise names.wrong("resource.purpose", body["purpose"], "It is only for internal addresses.")
    if body.get("ipVersion", "IPV4") != "IPV4":
        raise names.not_here("address with ipVersion", body["ipVersion"])
    tier = body.get("networkTier", "PREMIUM")
    if tier != "PREMIUM" and call.get("region") is None:
        raise names.wrong("resource.networkTier", tier, "Global addresses are PREMIUM only.")
    key = f"{names.place(call)}/addresses/{body['name']}"
    made: Resource = {"address": chosen(call.cloud, key), "networkTier": tier}
    # what the API shows: a global address says its version
    return made if call.get("region") else {**made, "ipVersion": "IPV4"}


def _range(call: Call, body: Resource) -> Resource:
    founded(call.cloud)
    if not body.get("network"):
        raise names.required("resource.network")
    network = names.reference(call.cloud, body["network"], "network", {"networks"})
    length = body.get("prefixLength")
    if length is None:
        raise names.required("resource.prefixLength")
    if not _SHORTEST <= length <= _LONGEST:
        raise names.wrong(
            "resource.prefixLength", length, f"It must be between {_SHORTEST} and {_LONGEST}."
        )
    wanted = body.get("address")
    taken = ranges(call.cloud, names.link(network))
    if wanted is None:
        free = (
            one
            for one in _RANGES.subnets(new_prefix=max(length, _RANGES.prefixlen))
            if not overlapping(one, taken)
        )
        found = next(free, None)
        if found is None:
            raise names.wrong("resource.prefixLength", length, "No range of this size is free.")
        wanted = str(found.network_address)
    try:
        place = ipaddress.ip_network(f"{wanted}/{length}")
    except ValueError:
        raise names.wrong(
            "resource.address", wanted, f"It is not the first address of a /{length}."
        ) from None
    if not place.is_private:
        raise names.wrong("resource.address", wanted, "The range must be a private one.")
    clash = overlapping(place, taken)
    if clash:
        raise names.wrong(
            "resource.address", f"{place}", f"It overlaps with the range {clash} of this network."
        )
    return {"address": wanted, "network": names.link(network)}


def _kind(api: str, permission: str) -> Kind:
    return Kind(
        collection="addresses",
        parameter="address",
        word="compute#address",
        api=api,
        permission=permission,
        prepared=prepared,
        output_only=frozenset({"status", "users", "labelFingerprint"}),
        links=("network",),
        shown=shown,
    )


GLOBAL = _kind("compute.globalAddresses", "compute.globalAddresses")
REGIONAL = _kind("compute.addresses", "compute.addresses")
