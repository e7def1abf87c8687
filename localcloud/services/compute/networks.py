"""Networks, subnetworks and routes: names and ranges only, since nothing here is routed by them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind
from localcloud.services.compute.methods import change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

    Range = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT = "default"
_FOUNDED = "founded"

_AUTO_LENGTH = 20
"""How large the subnetworks of networks in auto mode are, all within 10.128.0.0/9."""
_OCTETS = {
    "asia-east1": 140,
    "asia-northeast1": 146,
    "asia-south1": 160,
    "asia-southeast1": 148,
    "australia-southeast1": 152,
    "europe-north1": 166,
    "europe-west1": 132,
    "europe-west2": 154,
    "europe-west3": 156,
    "europe-west4": 164,
    "europe-west6": 172,
    "northamerica-northeast1": 162,
    "southamerica-east1": 158,
    "us-central1": 128,
    "us-east1": 142,
    "us-east4": 150,
    "us-west1": 138,
    "us-west2": 168,
}
"""The second number of a region's range (cloud.google.com/vpc/docs/subnets); from 200 for others."""

_GATEWAY = "default-internet-gateway"
_SMALLEST = 29


def founded(cloud: Cloud) -> None:
    """Make the network every new project has; one that was deleted does not come back."""
    store, marks = cloud.store.of("compute"), cloud.store.of("compute.marks")
    key = f"projects/{cloud.project}/global/networks/{DEFAULT}"
    with cloud.store.lock():
        if marks.find(_FOUNDED) is not None:
            return
        marks.put(_FOUNDED, {})
        body = {"name": DEFAULT, "description": "Default network for the project"}
        fields = {**body, **_network_fields(autocreate=True)}
        network = _stamped(NETWORKS, key, cloud.clock.rfc3339(), fields)
        store.put(key, network)
        for other, resource in surroundings(cloud, network):
            store.put(other, resource)


def shown_network(cloud: Cloud, stored: Resource) -> Resource:
    """Show a network with its subnetworks."""
    known = cloud.store.of("compute").under(f"projects/{cloud.project}/regions/")
    mine = [
        one["selfLink"]
        for key, one in known
        if "/subnetworks/" in key and one["network"] == stored["selfLink"]
    ]
    return {**stored, "subnetworks": mine} if mine else stored


def network(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a network."""
    if body.get("IPv4Range"):
        raise names.not_here("legacy network with IPv4Range", body["IPv4Range"])
    if before is None and "autoCreateSubnetworks" not in body:
        # left out it would be a legacy network, which cannot be made any more
        raise names.required("resource.autoCreateSubnetworks")
    del call
    return {**_network_fields(autocreate=bool(body.get("autoCreateSubnetworks"))), **body}


def subnetwork(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a subnetwork."""
    for field in ("network", "ipCidrRange"):
        if not body.get(field):
            raise names.required(f"resource.{field}")
    if body.get("secondaryIpRanges"):
        raise names.not_here("subnetwork with secondaryIpRanges", body["secondaryIpRanges"])
    key = names.reference(call.cloud, body["network"], "network", {"networks"})
    link = names.link(key)
    try:
        place = ipaddress.ip_network(body["ipCidrRange"])
    except ValueError:
        raise names.wrong(
            "resource.ipCidrRange", body["ipCidrRange"], "It is not a range in CIDR notation."
        ) from None
    if place.prefixlen > _SMALLEST:
        raise names.wrong("resource.ipCidrRange", str(place), "The range is too small.")
    if before is None:
        clash = overlapping(place, ranges(call.cloud, link))
        if clash:
            raise names.wrong(
                "resource.ipCidrRange",
                str(place),
                f"IP range conflicts with the range {clash} of network {link}.",
            )
    elif before["ipCidrRange"] != body["ipCidrRange"] or before["network"] != link:
        raise names.wrong("resource.ipCidrRange", str(place), "It cannot be changed by a patch.")
    return {**_subnet_fields(place), **body, "network": link}


def route(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a route."""
    del before  # routes never change
    for field in ("network", "destRange"):
        if not body.get(field):
            raise names.required(f"resource.{field}")
    try:
        ipaddress.ip_network(body["destRange"])
    except ValueError:
        raise names.wrong(
            "resource.destRange", body["destRange"], "It is not a range in CIDR notation."
        ) from None
    hops = [field for field in body if field.startswith("nextHop")]
    if hops != ["nextHopGateway"]:
        raise names.not_here("route by", ", ".join(hops) or "nothing")
    key = names.reference(call.cloud, body["network"], "network", {"networks"})
    return {"priority": 1000, **body, "network": names.link(key)}


def set_private_access(call: Call) -> Resource:
    """Let a subnetwork reach Google's APIs without an external address, or no longer."""
    wanted = call.body.get("privateIpGoogleAccess", False)
    return change(
        SUBNETWORKS,
        call,
        "setPrivateIpGoogleAccess",
        lambda present: {**present, "privateIpGoogleAccess": wanted},
    )


def peerings(_: Cloud, stored: Resource) -> set[str]:
    """Return the names of a network's peerings, which keep it from deletion."""
    return {one["name"] for one in stored.get("peerings", [])}


def overlapping(place: Range, taken: Iterable[str]) -> str:
    """Return the first of some ranges that has addresses in common with another."""
    for one in taken:
        other = ipaddress.ip_network(one)
        if other.version == place.version and other.overlaps(place):
            return one
    return ""


def find(call: Call, text: str, field: str) -> str:
    """Return the key of the network that a URL means, or 404."""
    founded(call.cloud)
    key = names.reference(call.cloud, text, field, {"networks"})
    if call.cloud.store.of("compute").find(key) is None:
        raise names.unknown(key)
    return key


def known(cloud: Cloud) -> list[str]:
    """Name the networks there are."""
    founded(cloud)
    prefix = f"projects/{cloud.project}/global/networks/"
    return [key.removeprefix(prefix) for key, _ in cloud.store.of("compute").under(prefix)]


def ranges(cloud: Cloud, link: str) -> list[str]:
    """Return the ranges a network uses already, for subnetworks and for peerings."""
    known = cloud.store.of("compute").under(f"projects/{cloud.project}/")
    mine = [one for _, one in known if one.get("network") == link]
    subnets = [one["ipCidrRange"] for one in mine if "ipCidrRange" in one]
    return subnets + [
        f"{one['address']}/{one['prefixLength']}" for one in mine if "prefixLength" in one
    ]


def surroundings(cloud: Cloud, made: Resource) -> list[tuple[str, Resource]]:
    """Return what comes and goes with a network: a route, and subnetworks in auto mode."""
    project, short = f"projects/{cloud.project}", made["name"]
    now, link = made["creationTimestamp"], made["selfLink"]
    # the end of the name is the network's id at Google's; here it is the network's name
    way = f"{project}/global/routes/default-route-{short}"
    fields = {
        "name": way.rpartition("/")[2],
        "description": "Default route to the Internet.",
        "network": link,
        "destRange": "0.0.0.0/0",
        "priority": 1000,
        "nextHopGateway": names.link(f"{project}/global/gateways/{_GATEWAY}"),
    }
    found = [(way, _stamped(ROUTES, way, now, fields))]
    if not made["autoCreateSubnetworks"]:
        return found
    others = [region for region in names.REGIONS if region not in _OCTETS]
    for region in names.REGIONS:
        octet = _OCTETS.get(region) or 200 + others.index(region)
        place = ipaddress.IPv4Network(f"10.{octet}.0.0/{_AUTO_LENGTH}")
        one = f"{project}/regions/{region}/subnetworks/{short}"
        fields = {
            "name": short,
            "network": link,
            "ipCidrRange": str(place),
            "region": names.link(f"{project}/regions/{region}"),
            **_subnet_fields(place),
        }
        found.append((one, SUBNETWORKS.finished(_stamped(SUBNETWORKS, one, now, fields))))
    return found


def _stamped(kind: Kind, key: str, now: str, fields: Resource) -> Resource:
    return {
        "kind": kind.word,
        "id": names.number(key, now),
        "selfLink": names.link(key),
        "creationTimestamp": now,
        **fields,
    }


def _network_fields(*, autocreate: bool) -> Resource:
    return {
        "autoCreateSubnetworks": autocreate,
        "routingConfig": {"routingMode": "REGIONAL"},
        "networkFirewallPolicyEnforcementOrder": "AFTER_CLASSIC_FIREWALL",
    }


def _subnet_fields(place: Range) -> Resource:
    return {
        "gatewayAddress": str(place.network_address + 1),
        "privateIpGoogleAccess": False,
        "privateIpv6GoogleAccess": "DISABLE_GOOGLE_ACCESS",
        "purpose": "PRIVATE",
        "stackType": "IPV4_ONLY",
    }


NETWORKS = Kind(
    collection="networks",
    parameter="network",
    word="compute#network",
    prepared=network,
    output_only=frozenset({"peerings", "subnetworks", "gatewayIPv4", "firewallPolicy"}),
    shown=shown_network,
    own=surroundings,
    holders=peerings,
)
SUBNETWORKS = Kind(
    collection="subnetworks",
    parameter="subnetwork",
    word="compute#subnetwork",
    prepared=subnetwork,
    output_only=frozenset({"gatewayAddress", "state"}),
    links=("network",),
    fingerprint=True,
)
ROUTES = Kind(
    collection="routes",
    parameter="route",
    word="compute#route",
    prepared=route,
    output_only=frozenset({"warnings", "routeStatus", "routeType"}),
    links=("network",),
)
