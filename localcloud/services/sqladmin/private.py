"""Private addresses of Cloud SQL: a network that is connected, and an address of its range."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

from localcloud.machines.containers.private_networks import network_of
from localcloud.services import servicenetworking
from localcloud.services.sqladmin.connections.gateway import gateway_of
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

PUBLIC, PRIVATE = "PRIMARY", "PRIVATE"
_FIRST = 2
"""How many addresses at the beginning of a range are nobody's."""


def check(call: Call, settings: Resource, before: Resource | None = None) -> None:
    """Refuse a network that has no connection to Google's services, and leaving one."""
    network = network_of(call.cloud, settings)
    present = network_of(call.cloud, before) if before is not None else None
    if present is not None and network != present:
        raise invalid_request("the private network of an instance cannot be changed or removed.")
    if network is None or network == present:
        return
    if not call.cloud.enabled(servicenetworking.SERVICE.host):
        raise invalid_request(
            "SERVICE_NETWORKING_NOT_ENABLED: the API servicenetworking.googleapis.com is not "
            f"enabled in the project of the network {network}."
        )
    if servicenetworking.connection(call.cloud, network) is None:
        raise invalid_request(
            f"Failed to create subnetwork. The network {network} doesn't have at least 1 private "
            "services connection. Please create a private services connection first."
        )


def addresses(
    cloud: Cloud, key: str, settings: Resource, present: list[Resource]
) -> list[Resource]:
    """Return the addresses an instance has by its settings, those it had already as they were."""
    kept = {one["type"]: one for one in present}
    found: list[Resource] = []
    if settings["ipConfiguration"].get("ipv4Enabled", True):
        made = kept.get(PUBLIC) or {"type": PUBLIC, "ipAddress": gateway_of(cloud).address(key)}
        found.append(made)
    network = network_of(cloud, settings)
    if network is not None:
        made = kept.get(PRIVATE) or {"type": PRIVATE, "ipAddress": _inside(cloud, key, network)}
        found.append(made)
    return found


def _inside(cloud: Cloud, key: str, network: str) -> str:
    """Choose an address of the first range that was set aside for Google's services."""
    connection = servicenetworking.connection(cloud, network) or {}
    name = connection["reservedPeeringRanges"][0]
    stored = cloud.store.of("compute").fetch(f"projects/{cloud.project}/global/addresses/{name}")
    place = ipaddress.IPv4Network(f"{stored['address']}/{stored['prefixLength']}")
    known = cloud.store.of("sqladmin").under(f"projects/{cloud.project}/instances/")
    taken = {address["ipAddress"] for _, one in known for address in one.get("ipAddresses", [])}
    begin = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    room = place.num_addresses - _FIRST - 1
    for step in range(room):
        chosen = str(place[_FIRST + (begin + step) % room])
        if chosen not in taken:
            return chosen
    raise invalid_request(f"the range {name} has no address left.")
