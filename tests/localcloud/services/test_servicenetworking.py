"""Service Networking: a network's connection to Google's services, and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.services.compute.load_balancers import COMPUTE, Desk

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.store import Resource
    from tests.localcloud.conftest import Ask

HOST = "servicenetworking.googleapis.com/v1"
PARENT = f"{HOST}/services/servicenetworking.googleapis.com/connections"
NETWORK = "projects/123456789012/global/networks/default"


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """Has two ranges that are set aside for the default network."""
    made = Desk(cloud, ask, clock)
    for name in ("one", "two"):
        body = {
            "name": name,
            "addressType": "INTERNAL",
            "purpose": "VPC_PEERING",
            "prefixLength": 20,
            "network": "projects/berth-local/global/networks/default",
        }
        made.post("/global/addresses", body)
    return made


def connect(desk: Desk, *ranges: str, verb: str = "POST", path: str = "", query: str = "") -> Any:
    """Ask for a connection with some ranges."""
    body = {"network": NETWORK, "reservedPeeringRanges": list(ranges)}
    return desk.ask(verb, f"{PARENT}{path}{query}", body)


def ended(desk: Desk, clock: VirtualClock, answer: Any) -> Resource:
    """Wait for an operation."""
    assert answer.status == 200, answer.body
    clock.advance(200)
    found = desk.ask("GET", f"{HOST}/{answer.json()['name']}").json()
    assert found["done"] is True
    return dict(found)


def test_a_network_is_connected(desk: Desk, clock: VirtualClock) -> None:
    """It takes about a minute, and the network says so afterwards."""
    begun = connect(desk, "one")
    assert "connections" not in desk.ask("GET", f"{PARENT}?network={NETWORK}").json()

    done = ended(desk, clock, begun)

    assert done["response"]["peering"] == "servicenetworking-googleapis-com"
    found = desk.ask("GET", f"{PARENT}?network={NETWORK}").json()["connections"]
    assert found[0]["reservedPeeringRanges"] == ["one"]
    peering = desk.get("/global/networks/default")["peerings"][0]
    assert (peering["name"], peering["state"]) == ("servicenetworking-googleapis-com", "ACTIVE")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"network": NETWORK},
        {"network": NETWORK, "reservedPeeringRanges": []},
        {"network": NETWORK, "reservedPeeringRanges": ["none"]},
        {"network": NETWORK, "reservedPeeringRanges": ["one", "one"]},
        {"network": NETWORK, "reservedPeeringRanges": ["outside"]},
        {"network": "default", "reservedPeeringRanges": ["one"]},
        {"network": "projects/berth-local/global/networks/none", "reservedPeeringRanges": ["one"]},
    ],
)
def test_connections_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    """A network that is there, and ranges that are set aside for it."""
    desk.post("/global/addresses", {"name": "outside"})

    assert desk.ask("POST", PARENT, body).status in {400, 404, 409}


def test_another_networks_range_is_refused(desk: Desk) -> None:
    """A range belongs to one network."""
    desk.post("/global/networks", {"name": "mine", "autoCreateSubnetworks": False})
    body = {
        "network": "projects/berth-local/global/networks/mine",
        "reservedPeeringRanges": ["one"],
    }

    assert desk.ask("POST", PARENT, body).status == 400


def test_other_producers_are_not_there(desk: Desk) -> None:
    """Google is the only one."""
    body = {"network": NETWORK, "reservedPeeringRanges": ["one"]}

    assert desk.ask("POST", f"{HOST}/services/other.example.com/connections", body).status == 404


def test_a_second_connection_fails_in_its_operation(desk: Desk, clock: VirtualClock) -> None:
    """Other ranges come by a patch; the same again is no harm."""
    ended(desk, clock, connect(desk, "one"))

    assert "error" not in ended(desk, clock, connect(desk, "one"))
    found = ended(desk, clock, connect(desk, "two"))
    assert found["error"]["code"] == 9
    assert "UpdateConnection" in found["error"]["message"]


def test_a_patch_adds_ranges(desk: Desk, clock: VirtualClock) -> None:
    """With the merged list; taking one away must be forced."""
    ended(desk, clock, connect(desk, "one"))
    ended(desk, clock, connect(desk, "one", "two", verb="PATCH", path="/-"))

    refused = connect(desk, "two", verb="PATCH", path="/-")

    assert refused.json()["error"]["status"] == "FAILED_PRECONDITION"
    ended(desk, clock, connect(desk, "two", verb="PATCH", path="/-", query="?force=true"))
    found = desk.ask("GET", PARENT).json()["connections"]
    assert found[0]["reservedPeeringRanges"] == ["two"]


def test_a_patch_needs_a_connection(desk: Desk) -> None:
    """There is none yet, or it has another name."""
    assert connect(desk, "one", verb="PATCH", path="/-").status == 404
    assert connect(desk, "one", verb="PATCH", path="/other").status == 404


def test_a_policy_forbids_the_peering(desk: Desk, clock: VirtualClock, cloud: Cloud) -> None:
    """The operation ends with code 9 and names the constraint."""
    cloud.constraints.set("compute.restrictVpcPeering")

    found = ended(desk, clock, connect(desk, "one"))

    assert found["error"]["code"] == 9
    assert "constraints/compute.restrictVpcPeering violated" in found["error"]["message"]


def test_a_connected_network_stays(desk: Desk, clock: VirtualClock) -> None:
    """The peering keeps it, until the connection is deleted."""
    ended(desk, clock, connect(desk, "one"))
    assert desk.ask("DELETE", f"{COMPUTE}/global/networks/default").status == 400

    path = f"{PARENT}/servicenetworking-googleapis-com"
    ended(desk, clock, desk.ask("POST", path, {"consumerNetwork": NETWORK}))

    assert "peerings" not in desk.get("/global/networks/default")
    assert desk.ask("POST", path, {"consumerNetwork": NETWORK}).status == 404


def test_an_instance_in_the_network_keeps_the_connection(
    desk: Desk, clock: VirtualClock, cloud: Cloud
) -> None:
    """It is never removed with one deployment while another needs it."""
    ended(desk, clock, connect(desk, "one"))
    settings = {
        "ipConfiguration": {"privateNetwork": "projects/berth-local/global/networks/default"}
    }
    name = "projects/berth-local/instances/db"
    cloud.store.of("sqladmin").put(name, {"name": "db", "settings": settings})
    path = f"{PARENT}/servicenetworking-googleapis-com"

    found = ended(desk, clock, desk.ask("POST", path, {"consumerNetwork": NETWORK}))

    assert "still using this connection" in found["error"]["message"]
    assert desk.ask("GET", PARENT).json()["connections"]


def test_who_may_not_peer_is_refused(desk: Desk, cloud: Cloud) -> None:
    """The admin of networks may."""
    cloud.grant("user:ana@example.com", "roles/viewer")
    body = {"network": NETWORK, "reservedPeeringRanges": ["one"]}

    assert desk.ask("POST", PARENT, body, who="ana@example.com").status == 403
