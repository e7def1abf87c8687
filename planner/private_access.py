"""Private access: addresses for Google's services within a VPC network of the project.

The range and the connection belong to the network and to all who have databases in it: made if they
are missing, never taken away.
"""

from typing import Any

from planner import compute
from planner.compute import COMPUTE, LINKS
from planner.target import Target
from schemas.network import Network
from schemas.plan import Check, Demand, Need, Operations, Request, Resource, Share, Step

NETWORKING = "https://servicenetworking.googleapis.com/v1"
CONNECTIONS = f"{NETWORKING}/services/servicenetworking.googleapis.com/connections"
PREFIX_LENGTH = 20
"""4096 addresses. Each region and kind of database takes a /24 of them, so a /24 would do for one."""


def steps(target: Target, network: Network) -> tuple[Step, ...]:
    """Return the range that is set aside, and the connection that uses it."""
    return _range(target, network), _connection(target, network)


def needs(target: Target, network: Network) -> tuple[Need, ...]:
    """Return the network itself, and the subnetwork that the server will be in."""
    networks = f"gcloud compute networks list --project={target.project}"
    named = Need(
        name="vpc_network",
        title=f"network {network.name}",
        url=compute.url(target, "networks", network.name),
        pointer="/network/name",
        absent=f"project {target.project} has none of this name. Name one of its VPC networks "
        f"({networks}), or leave network out",
    )
    return (named, *_subnetwork(target, network))


def _subnetwork(target: Target, network: Network) -> tuple[Need, ...]:
    # App Engine finds one by itself, Cloud Run takes the one that is called like the network.
    if network.subnetwork is None and target.request.serving.platform != "cloud_run":
        return ()
    name = network.subnetwork or network.name
    there = (
        f"gcloud compute networks subnets list --network={network.name} "
        f"--regions={target.region} --project={target.project}"
    )
    return (
        Need(
            name="subnetwork",
            title=f"subnetwork {name}",
            url=compute.url(target, "subnetworks", name, regional=True),
            pointer="/network/subnetwork",
            absent=f"region {target.region} has none of this name. Say in network.subnetwork which "
            f"of the network's the server shall be in ({there})",
            demands=(
                Demand(
                    path=("network",),
                    value=f"{LINKS}/{link(target, network)}",
                    otherwise=f"it belongs to <found>, not to {network.name}. Say in "
                    f"network.subnetwork which of {network.name}'s it shall be ({there})",
                ),
            ),
        ),
    )


def link(target: Target, network: Network) -> str:
    """Return the network as other resources name it."""
    return f"projects/{target.project}/global/networks/{network.name}"


def vpc_access(target: Target) -> dict[str, Any]:
    """Return what a Cloud Run template says to be in the deployment's network; often nothing.

    Only private addresses are looked for there: everything else, Google's APIs among it, is reached as
    without a network.
    """
    network = target.request.network
    if network is None:
        return {}
    interface = {"network": network.name}
    if network.subnetwork is not None:
        interface["subnetwork"] = network.subnetwork
    return {"vpcAccess": {"networkInterfaces": [interface], "egress": "PRIVATE_RANGES_ONLY"}}


def range_name(network: Network) -> str:
    """Return what the range is called: what the console calls it, so that one made there is used."""
    return f"google-managed-services-{network.name}"[:63].rstrip("-")


def _range(target: Target, network: Network) -> Resource:
    addresses = f"{COMPUTE}/projects/{target.project}/global/addresses"
    name = range_name(network)
    return Resource(
        name="private_range",
        title=f"range {name}",
        url=f"{addresses}/{name}",
        demands=(
            Demand(
                path=("purpose",),
                value="VPC_PEERING",
                otherwise="it is an address for another purpose (<found>). Give it another name, "
                "or ask for another network",
            ),
            Demand(
                path=("network",),
                value=f"{LINKS}/{link(target, network)}",
                otherwise=f"it belongs to <found>, not to {network.name}. Give it another name, "
                "or ask for another network",
            ),
        ),
        create=Request(
            method="POST",
            url=addresses,
            body={
                "name": name,
                "description": "Addresses for Google's services, such as Cloud SQL",
                "addressType": "INTERNAL",
                "purpose": "VPC_PEERING",
                "prefixLength": PREFIX_LENGTH,
                "network": link(target, network),
            },
        ),
        operation=Operations(
            base=f"{COMPUTE}/projects/{target.project}/global/operations/", dialect="status"
        ),
        ready=Check(path=("status",), value="RESERVED"),
        keep=True,
    )


def _connection(target: Target, network: Network) -> Resource:
    # This API knows the project by its number only.
    number = f"projects/{target.platform.project_number}/global/networks/{network.name}"
    body = {"network": number, "reservedPeeringRanges": [range_name(network)]}
    return Resource(
        name="private_connection",
        title=f"connection of network {network.name} with Google's services",
        url=f"{CONNECTIONS}?network={number}",
        # A network has one connection; what others have put into it stays.
        share=Share(items="connections", field="reservedPeeringRanges", value=range_name(network)),
        create=Request(method="POST", url=CONNECTIONS, body=body),
        # Without force, which is only for taking ranges away: nothing of others' can get lost.
        update=Request(
            method="PATCH", url=f"{CONNECTIONS}/-?updateMask=reservedPeeringRanges", body=body
        ),
        operation=Operations(base=f"{NETWORKING}/", dialect="done"),
        keep=True,
    )
