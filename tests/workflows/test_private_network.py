"""A database with a private address: the way to it belongs to the network, and stays."""

from typing import Any

import pytest

from tests.workflows.berth import Berth

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

PROJECT = "berth-local"
COMPUTE = f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}"
RANGE = "google-managed-services-default"
CONNECTIONS = (
    "https://servicenetworking.googleapis.com/v1/services/servicenetworking.googleapis.com"
    "/connections"
)
PRIVATE: dict[str, Any] = {"placement": "dedicated", "network": {"name": "default"}}
RUN = f"https://run.googleapis.com/v2/projects/{PROJECT}/locations/europe-west1"


def ranges(berth: Berth) -> list[str]:
    """Return what the connection of the default network holds."""
    network = f"projects/{berth.cloud.number}/global/networks/default"
    found = berth.ask("GET", f"{CONNECTIONS}?network={network}")
    [connection] = found["connections"]
    return list(connection["reservedPeeringRanges"])


def set_aside(berth: Berth, name: str, **fields: Any) -> None:
    """Make a range as somebody else would have."""
    body = {
        "name": name,
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 24,
        "network": f"projects/{PROJECT}/global/networks/default",
        **fields,
    }
    berth.ask("POST", f"{COMPUTE}/global/addresses", body)
    berth.clock.advance(60)


def connect(berth: Berth, *names: str) -> None:
    """Connect the network as somebody else would have."""
    network = f"projects/{berth.cloud.number}/global/networks/default"
    berth.ask("POST", CONNECTIONS, {"network": network, "reservedPeeringRanges": list(names)})
    berth.clock.advance(300)


def test_the_database_has_no_public_address(berth: Berth) -> None:
    """Its only one is of the range; server and migration are in the network, and only for that."""
    outcome = berth.provision(**PRIVATE)

    assert outcome.state == "READY", outcome.status
    instance = outcome_instance(berth)
    addresses = instance["settings"]["ipConfiguration"]
    assert addresses["ipv4Enabled"] is False
    assert addresses["privateNetwork"] == f"projects/{PROJECT}/global/networks/default"
    assert {one["type"] for one in instance["ipAddresses"]} == {"PRIVATE"}
    assert ranges(berth) == [RANGE]
    service = berth.ask("GET", f"{RUN}/services/mlflow-demo")["template"]
    job = berth.ask("GET", f"{RUN}/jobs/mlflow-demo-migrate")["template"]["template"]
    for template in (service, job):
        assert template["vpcAccess"]["egress"] == "PRIVATE_RANGES_ONLY"
        [interface] = template["vpcAccess"]["networkInterfaces"]
        assert interface["network"] == "default"


def outcome_instance(berth: Berth) -> Any:
    """Return the deployment's own instance."""
    url = f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances"
    return berth.ask("GET", f"{url}/mlflow-demo-3f9c")


def test_ranges_of_others_stay_in_the_connection(berth: Berth) -> None:
    """Ours is added to what is there; nothing is taken away."""
    set_aside(berth, "theirs")
    connect(berth, "theirs")

    outcome = berth.provision(**PRIVATE)

    assert outcome.state == "READY", outcome.status
    assert ranges(berth) == ["theirs", RANGE]


def test_a_connection_that_has_the_range_is_used_as_it_is(berth: Berth) -> None:
    """Nothing is written to it; the second deployment in a network changes nothing."""
    set_aside(berth, RANGE)
    connect(berth, RANGE)
    berth.cloud.calls.clear()

    outcome = berth.provision(**PRIVATE)

    assert outcome.state == "READY", outcome.status
    changes = [
        berth.cloud.calls.count(f"servicenetworking.services.connections.{verb}")
        for verb in ("create", "patch")
    ]
    assert changes == [0, 0]


def test_an_address_of_that_name_for_another_purpose_is_refused(berth: Berth) -> None:
    """With words that say what it is, before anything is made."""
    berth.ask("POST", f"{COMPUTE}/global/addresses", {"name": RANGE})
    # The first question about networks founds the project's own.
    berth.ask("GET", f"{COMPUTE}/global/networks")
    berth.clock.advance(60)
    before = berth.resources()

    failed = berth.provision(**PRIVATE)

    problem = failed.status["problem"]
    assert problem["type"] == "urn:berth:problem:not-as-needed"
    assert problem["step"] == "network: private_range"
    assert "another purpose" in problem["cause"]
    assert berth.resources() == before


def test_two_deployments_connect_the_same_network_at_once(berth: Berth) -> None:
    """Both find one range and one connection; neither fails of the other."""
    executions = {
        name: berth.launch("provision", name, berth.want(name, **PRIVATE))
        for name in ("one", "two")
    }

    outcomes = [berth.finish(name, execution) for name, execution in executions.items()]

    assert [outcome.state for outcome in outcomes] == ["READY", "READY"], outcomes
    assert ranges(berth) == [RANGE]


def test_removing_leaves_range_and_connection_and_nothing_else(berth: Berth) -> None:
    """Others may have databases there by now."""
    berth.ask("GET", f"{COMPUTE}/global/networks")
    before = berth.resources()
    assert berth.provision(**PRIVATE).state == "READY"

    gone = berth.tear_down()

    assert gone.state == "DELETED", gone.status
    left = set(berth.resources()) - set(before)
    assert {name.rsplit("/", 1)[-1] for name in left} == {RANGE, "default"}
    assert ranges(berth) == [RANGE]


def test_what_cannot_be_changed_about_an_instance_is_refused(berth: Berth) -> None:
    """Another major version of the database: said before anything is touched."""
    first: dict[str, Any] = {
        "placement": "dedicated",
        "database": {"engine": "postgresql", "version": "16"},
    }
    assert berth.provision(**first).state == "READY"
    before = outcome_instance(berth)

    failed = berth.provision(**{**first, "database": {"engine": "postgresql", "version": "17"}})

    problem = failed.status["problem"]
    assert problem["type"] == "urn:berth:problem:not-as-needed"
    assert "POSTGRES_16" in problem["cause"]
    assert "POSTGRES_17" in problem["cause"]
    assert before["databaseVersion"] == "POSTGRES_16"
