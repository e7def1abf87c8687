"""Private addresses of Cloud SQL: a connected network first, an address of its range, and who gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.machines.containers import private_networks
from tests.localcloud.services.compute.load_balancers import Desk

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

SQL = "sqladmin.googleapis.com/v1/projects/berth-local/instances"
PEERING = (
    "servicenetworking.googleapis.com/v1/services/servicenetworking.googleapis.com/connections"
)
NETWORK = "projects/berth-local/global/networks/default"
INSIDE = {"ipv4Enabled": False, "privateNetwork": NETWORK}


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """Has a range for the default network, not connected yet."""
    made = Desk(cloud, ask, clock)
    cloud.enable("sqladmin.googleapis.com")
    body = {
        "name": "range",
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 24,
        "address": "10.77.0.0",
        "network": NETWORK,
    }
    made.post("/global/addresses", body)
    return made


def connect(desk: Desk) -> None:
    """Connect the network with Google's services."""
    body = {"network": NETWORK, "reservedPeeringRanges": ["range"]}
    assert desk.ask("POST", PEERING, body).status == 200
    desk.cloud.clock.pause(200)


def insert(desk: Desk, addresses: dict[str, Any], name: str = "db") -> Any:
    """Ask for an instance."""
    settings = {"tier": "db-f1-micro", "edition": "ENTERPRISE", "ipConfiguration": addresses}
    body = {"name": name, "region": "europe-west1", "settings": settings}
    return desk.ask("POST", SQL, {**body, "databaseVersion": "POSTGRES_18"})


def test_without_the_api_there_is_no_private_network(desk: Desk) -> None:
    """It is the first thing to enable."""
    desk.cloud.disable("servicenetworking.googleapis.com")

    assert "SERVICE_NETWORKING_NOT_ENABLED" in insert(desk, INSIDE).json()["error"]["message"]


def test_the_connection_comes_first(desk: Desk) -> None:
    """Before it, and while it is being made, an instance is refused."""
    words = "doesn't have at least 1 private services connection"
    assert words in insert(desk, INSIDE).json()["error"]["message"]
    body = {"network": NETWORK, "reservedPeeringRanges": ["range"]}
    desk.ask("POST", PEERING, body)
    assert words in insert(desk, INSIDE).json()["error"]["message"]

    desk.cloud.clock.pause(200)

    assert insert(desk, INSIDE).status == 200


def test_an_unknown_network_is_refused(desk: Desk) -> None:
    """It has no connection either."""
    addresses = {**INSIDE, "privateNetwork": "projects/berth-local/global/networks/none"}

    assert insert(desk, addresses).status == 400


@pytest.mark.parametrize(
    ("addresses", "types"),
    [
        (INSIDE, ["PRIVATE"]),
        ({"ipv4Enabled": True, "privateNetwork": NETWORK}, ["PRIMARY", "PRIVATE"]),
        (
            {"privateNetwork": f"https://www.googleapis.com/compute/v1/{NETWORK}"},
            ["PRIMARY", "PRIVATE"],
        ),
        ({}, ["PRIMARY"]),
    ],
)
def test_an_instance_has_the_addresses_asked_for(
    desk: Desk, addresses: dict[str, Any], types: list[str]
) -> None:
    """The private one is of the range."""
    connect(desk)
    assert insert(desk, addresses).status == 200
    desk.cloud.clock.pause(1000)

    found = desk.ask("GET", f"{SQL}/db").json()["ipAddresses"]

    assert [one["type"] for one in found] == types
    private = [one["ipAddress"] for one in found if one["type"] == "PRIVATE"]
    assert all(one.startswith("10.77.0.") for one in private)


def test_two_instances_have_two_addresses(desk: Desk) -> None:
    """Of the same range."""
    connect(desk)
    for name in ("one", "two"):
        insert(desk, INSIDE, name)
        desk.cloud.clock.pause(1000)

    found = [desk.ask("GET", f"{SQL}/{name}").json()["ipAddresses"] for name in ("one", "two")]
    assert found[0] != found[1]


def test_an_instance_moves_in_and_stays(desk: Desk) -> None:
    """A network can be added later, its public address given up, the network never left."""
    connect(desk)
    insert(desk, {})
    desk.cloud.clock.pause(1000)
    url = f"{SQL}/db"

    moved = desk.ask("PATCH", url, {"settings": {"ipConfiguration": {"privateNetwork": NETWORK}}})
    assert moved.status == 200, moved.body
    desk.cloud.clock.pause(1000)
    closed = desk.ask("PATCH", url, {"settings": {"ipConfiguration": {"ipv4Enabled": False}}})
    assert closed.status == 200, closed.body
    desk.cloud.clock.pause(1000)

    assert [one["type"] for one in desk.ask("GET", url).json()["ipAddresses"]] == ["PRIVATE"]
    gone = {"settings": {"ipConfiguration": {"privateNetwork": None, "ipv4Enabled": True}}}
    assert desk.ask("PATCH", url, gone).status == 400


def test_an_instance_keeps_the_connection(desk: Desk) -> None:
    """Disconnecting fails while it is there."""
    connect(desk)
    insert(desk, INSIDE)
    desk.cloud.clock.pause(1000)

    begun = desk.ask(
        "POST", f"{PEERING}/servicenetworking-googleapis-com", {"consumerNetwork": NETWORK}
    )
    desk.cloud.clock.pause(200)

    name = begun.json()["name"]
    found = desk.ask("GET", f"servicenetworking.googleapis.com/v1/{name}").json()
    assert "still using" in found["error"]["message"]


@pytest.mark.parametrize(
    ("access", "reached"),
    [
        ({}, False),
        ({"networkInterfaces": [{"network": "default"}]}, True),
        ({"networkInterfaces": [{"network": NETWORK, "subnetwork": "default"}]}, True),
        ({"networkInterfaces": [{"subnetwork": "default"}]}, True),
        ({"networkInterfaces": [{"network": "other"}]}, False),
        ({"networkInterfaces": [{"subnetwork": "other"}]}, False),
        ({"connector": "projects/p/locations/r/connectors/c"}, True),
    ],
)
def test_cloud_run_gets_there_by_its_network(
    desk: Desk, access: dict[str, Any], reached: bool
) -> None:
    """Direct VPC egress into the instance's network, or a connector."""
    assert private_networks.reaches(desk.cloud, access, NETWORK) is reached
