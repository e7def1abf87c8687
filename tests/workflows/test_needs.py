"""What others made and a deployment is built upon: looked at before anything costs time."""

from typing import Any

import pytest

from tests.workflows.balancers import COMPUTE, DOMAIN, RECORDS, make_zone, ours, put_record
from tests.workflows.berth import Berth, Outcome
from tests.workflows.test_failures import is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

DNS = "dns_zone"
LB: dict[str, Any] = {"load_balancer": ours()}
COSTLY = ("sql.instances.insert", "sql.databases.insert", "compute.globalAddresses.insert")


def private(**network: Any) -> dict[str, Any]:
    """Return a request for a database in a network."""
    return {"placement": "dedicated", "network": network}


def zone(berth: Berth, **more: Any) -> None:
    """Make the zone otherwise than it ought to be."""
    body = {"name": "example-com", "dnsName": "example.com.", "description": ""}
    berth.ask("POST", RECORDS, {**body, **more})


def network(berth: Berth, name: str) -> None:
    """Make a network without subnetworks."""
    berth.ask("POST", f"{COMPUTE}/global/networks", {"name": name, "autoCreateSubnetworks": False})
    berth.clock.advance(60)


def no_zone(_berth: Berth) -> None:
    """Leave everything as it is."""


def a_private_zone(berth: Berth) -> None:
    """Make one that only networks of the project see."""
    zone(berth, visibility="private")


def a_zone_of_another_domain(berth: Berth) -> None:
    """Make one that ends like the domain, and does not hold it."""
    zone(berth, dnsName="w.example.com.")


def a_name_that_leads_to_another(berth: Berth) -> None:
    """Give the domain an alias."""
    make_zone(berth)
    put_record(berth, f"{DOMAIN}.", "CNAME", "shop.example.net.")


def an_address_of_the_other_kind(berth: Berth) -> None:
    """Give the domain an IPv6 address."""
    make_zone(berth)
    put_record(berth, f"{DOMAIN}.", "AAAA", "2001:db8::99")


def a_network_without_subnetworks(berth: Berth) -> None:
    """Make a network that no server can be in."""
    network(berth, "lab")


@pytest.mark.parametrize(
    ("before", "wish", "step", "words"),
    [
        (no_zone, LB, DNS, ["has none of this name", "gcloud dns managed-zones list"]),
        (a_private_zone, LB, DNS, ["it is private", "Name a public one"]),
        (a_zone_of_another_domain, LB, DNS, ["holds w.example.com.", f"{DOMAIN} does not lie"]),
        (
            a_name_that_leads_to_another,
            LB,
            "no_cname_record",
            ["shop.example.net.", f"gcloud dns record-sets delete {DOMAIN}. --zone=example-com"],
        ),
        (
            an_address_of_the_other_kind,
            LB,
            "no_aaaa_record",
            ["2001:db8::99", "IPv4 address only", "--type=AAAA"],
        ),
        (no_zone, private(name="lab"), "vpc_network", ["none of this name", "networks list"]),
        (
            a_network_without_subnetworks,
            private(name="lab"),
            "subnetwork",
            ["subnetwork lab", "Say in network.subnetwork", "--network=lab"],
        ),
        (
            a_network_without_subnetworks,
            private(name="lab", subnetwork="default"),
            "subnetwork",
            ["networks/default, not to lab", "subnets list --network=lab"],
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_what_is_not_as_it_has_to_be_is_said_before_anything_is_made(
    berth: Berth, before: Any, wish: dict[str, Any], step: str, words: list[str]
) -> None:
    """In seconds, with what is wrong and what to do; no address, no database, nothing left."""
    berth.ask("GET", f"{COMPUTE}/global/networks")
    before(berth)
    present, begun = berth.resources(), berth.clock.now()

    failed = until_over(berth, berth.launch("provision", "demo", berth.want("demo", **wish)))
    problem = failed.status["problem"]

    assert failed.state == "FAILED"
    assert problem["type"] == "urn:berth:problem:not-as-needed"
    assert problem["step"] == f"network: {step}"
    assert [word for word in words if word not in problem["cause"]] == []
    assert [method for method in COSTLY if berth.cloud.calls.count(method)] == []
    assert berth.clock.now() - begun < 60
    assert berth.resources() == present


def until_over(berth: Berth, execution: str) -> Outcome:
    """Let time run until the execution is over."""
    for _ in range(50):
        berth.clock.advance(2)
        found = berth.outcome("demo", execution)
        if found.execution["state"] != "ACTIVE":
            return found
    raise AssertionError(found.status)


def test_the_zone_of_the_domain_itself_will_do(berth: Berth) -> None:
    """A domain may be all that its zone is about; other records of the name are its business."""
    zone(berth, dnsName=f"{DOMAIN}.")
    put_record(berth, f"{DOMAIN}.", "TXT", '"v=spf1 -all"')

    made = berth.provision(**LB)

    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"


def test_what_is_in_the_way_is_no_business_of_those_without_a_zone(berth: Berth) -> None:
    """Who makes the records himself may keep them in a zone of this project, too."""
    an_address_of_the_other_kind(berth)

    made = berth.provision(load_balancer={"domain": DOMAIN})

    assert made.state == "READY", made.error


def test_once_it_is_mended_the_same_request_goes_through(berth: Berth) -> None:
    """Nothing is left over from the attempt that failed."""
    failed = berth.provision(**LB)
    make_zone(berth)
    berth.want("demo", **LB)

    made = berth.carry_out()

    assert failed.state == "FAILED"
    assert is_ready(made), made.error


def test_a_bad_moment_of_a_look_is_survived(berth: Berth) -> None:
    """Reading is harmless, so it is done again."""
    make_zone(berth)
    berth.cloud.fail("dns.managedZones.get", status=503, times=2)

    assert is_ready(berth.provision(**LB))


def test_what_may_not_be_seen_is_said(berth: Berth) -> None:
    """A role was taken away: the step and the permission are named, and nothing is made."""
    make_zone(berth)
    words = "Permission 'dns.managedZones.get' denied on resource"
    berth.cloud.fail("dns.managedZones.get", status=403, message=words, times=1)

    problem = berth.provision(**LB).status["problem"]

    assert problem["type"] == "urn:berth:problem:permission-missing"
    assert problem["step"] == "network: dns_zone"
    assert "python -m install apply" in problem["remedy"]
