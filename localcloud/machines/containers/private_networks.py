"""Which networks workloads are in, and so whether they get to private databases and services."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.services.compute import networks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from localcloud.cloud import Cloud
    from localcloud.machines.containers.workload import Workload
    from localcloud.store import Resource

_COMPUTE = "compute.googleapis.com"
_NETWORK = re.compile(
    r"(?:https://(?:www|compute)\.googleapis\.com/compute/v1/)?"
    r"(?P<key>projects/[^/]+/global/networks/[^/]+)"
)


def network_of(cloud: Cloud, settings: Resource) -> str | None:
    """Return the key of the network an instance is in; None for a public address only."""
    text = settings.get("ipConfiguration", {}).get("privateNetwork")
    found = _NETWORK.fullmatch(text or "")
    return cloud.by_id(found["key"]) if found is not None else text or None


def only(instance: Resource) -> bool:
    """Tell whether an instance has no public address."""
    addresses = instance.get("settings", {}).get("ipConfiguration", {})
    return bool(addresses.get("privateNetwork")) and not addresses.get("ipv4Enabled", True)


@dataclass(frozen=True)
class Interface:
    """Where a template's VPC access leads: a network, and a subnetwork of a region, by name."""

    network: str
    subnetwork: str
    found: Resource | None  # the subnetwork, if it is there


def interface(cloud: Cloud, access: Mapping[str, Any], region: str) -> Interface | None:
    """Return where direct VPC egress leads; None without it."""
    given = next(iter(access.get("networkInterfaces", [])), None)
    if given is None:
        return None
    network = given.get("network", "").rpartition("/")[2]
    subnetwork = given.get("subnetwork", "").rpartition("/")[2] or network
    key = f"projects/{cloud.project}/regions/{region}/subnetworks/{subnetwork}"
    networks.founded(cloud)
    found = cloud.store.of("compute").find(key)
    if not network and found is not None:
        network = found["network"].rpartition("/")[2]
    return Interface(network, subnetwork, found)


def trouble(cloud: Cloud, access: Mapping[str, Any], region: str) -> str:
    """Say why a workload cannot get into the network it wants to; empty when it can."""
    if not access.get("networkInterfaces"):
        return ""
    if not cloud.enabled(_COMPUTE):
        return (
            f"Direct VPC egress needs {_COMPUTE}, which is not enabled in project {cloud.project}."
        )
    return missing(cloud, access, region)


def missing(cloud: Cloud, access: Mapping[str, Any], region: str) -> str:
    """Say what is not there of the network that a workload wants to be in."""
    wanted = interface(cloud, access, region)
    if wanted is None:
        return ""
    if wanted.network and wanted.network not in networks.known(cloud):
        return f"VPC network {wanted.network} does not exist in project {cloud.project}."
    if wanted.found is None:
        return f"VPC subnetwork {wanted.subnetwork} does not exist in region {region}."
    if wanted.found["network"].rpartition("/")[2] != wanted.network:
        return f"VPC subnetwork {wanted.subnetwork} is not one of network {wanted.network}."
    return ""


def inside(cloud: Cloud, workload: Workload) -> tuple[str | None, str]:
    """Return the network all of a workload's traffic goes through, or why it is none, if odd.

    What it asks of run.app then comes from inside. Machines without an address of their own get to
    Google only from a subnetwork with Private Google Access.
    """
    access = workload.template.get("vpcAccess", {})
    wanted = interface(cloud, access, workload.region)
    if wanted is None or access.get("egress") != "ALL_TRAFFIC":
        return None, ""
    wrong = missing(cloud, access, workload.region)
    if wrong:
        return None, wrong
    allowed = wanted.found is not None and wanted.found.get("privateIpGoogleAccess")
    if not (workload.external or allowed):
        return None, (
            f"VPC subnetwork {wanted.subnetwork} of {workload.region} has no Private Google "
            "Access: from there nothing of Google's is reached on Google Cloud, and services for "
            "internal traffic are not reached here. `gcloud compute networks subnets update "
            f"{wanted.subnetwork} --region={workload.region} --enable-private-ip-google-access`"
        )
    return wanted.network, ""


def reaches(cloud: Cloud, access: Mapping[str, Any], network: str) -> bool:
    """Tell whether a Cloud Run template's VPC access leads into a network."""
    if access.get("connector"):
        return True
    compute = cloud.store.of("compute")
    for one in access.get("networkInterfaces", []):
        subnet = one.get("subnetwork", "").rpartition("/")[2]
        place = f"projects/{cloud.project}/regions/"
        named = one.get("network", "").rpartition("/")[2]
        if not named and subnet:
            found = [
                resource["network"].rpartition("/")[2]
                for key, resource in compute.under(place)
                if key.endswith(f"/subnetworks/{subnet}")
            ]
            named = next(iter(found), "")
        if named == network.rpartition("/")[2]:
            return True
    return False
