"""Deployments behind a load balancer: made and removed whole, whatever comes in between."""

from typing import Any

import pytest

from tests.workflows.balancers import (
    COMPUTE,
    DOMAIN,
    RECORDS,
    ZONE,
    make_zone,
    ours,
    put_record,
    records,
    until_told,
)
from tests.workflows.berth import Berth
from tests.workflows.test_failures import is_ready

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

RANGES = tuple(f"198.51.{number}.0/24" for number in range(23))


def allow_verify(berth: Berth, *ranges: str) -> None:
    """Have the platform know from where verify calls."""
    platform = berth.read("platform.json")
    berth.write("platform.json", {**platform, "verify_ranges": list(ranges)})


def test_the_whole_way_with_a_zone_of_the_project(berth: Berth) -> None:
    """READY first, the certificate later, then the proof through the domain; nothing stays behind."""
    make_zone(berth)
    before = berth.resources()
    running = berth.launch("provision", "demo", berth.want("demo", load_balancer=ours()))
    first = until_told(berth, running)

    made = berth.finish("demo", running)
    asked = [call["observed"] for name, call in berth.functions.calls if name == "verify"]
    removed = berth.tear_down()

    assert (first.state, first.status["certificate"]) == ("READY", "PROVISIONING")
    assert first.execution["state"] == "ACTIVE"
    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"
    assert made.status["urls"] == [made.status["url"]] == [f"https://{DOMAIN}"]
    assert [observed["certificate"] for observed in asked] == ["PROVISIONING", "ACTIVE"]
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_both_records_are_in_the_zone(berth: Berth) -> None:
    """The name leads to the load balancer, and the certificate finds its authorisation."""
    make_zone(berth)

    made = berth.provision(load_balancer=ours())
    observed = made.status["observed"]

    assert records(berth) == {
        f"{DOMAIN}. A": [observed["address"]],
        f"{observed['dns_record_name']} CNAME": [observed["dns_record_data"]],
    }


def test_cloud_armor_lets_in_whom_the_request_names(berth: Berth) -> None:
    """Ten ranges to a rule, Berth's own proof besides, everybody else is refused."""
    make_zone(berth)
    allow_verify(berth, "203.0.113.7/32")

    made = berth.provision(load_balancer=ours(allowed_ranges=RANGES))
    backend = berth.ask("GET", f"{COMPUTE}/global/backendServices/mlflow-demo")
    policy = berth.ask("GET", backend["securityPolicy"].replace("www.", "compute."))

    assert is_ready(made), made.error
    assert [
        (len(rule["match"]["config"]["srcIpRanges"]), rule["action"]) for rule in policy["rules"]
    ] == [
        (10, "allow"),
        (10, "allow"),
        (3, "allow"),
        (1, "allow"),
        (1, "deny(403)"),
    ]


def test_a_retry_with_other_ranges_makes_another_policy(berth: Berth) -> None:
    """Berth was installed anew in between; both policies go with the deployment."""
    make_zone(berth)
    before = berth.resources()
    allow_verify(berth, "203.0.113.7/32")
    berth.cloud.fail("compute.urlMaps.insert", status=403, message="a rule forbids it")
    failed = berth.provision(on_failure="KEEP", load_balancer=ours(allowed_ranges=RANGES))
    old = set(policies(berth))
    allow_verify(berth, "203.0.113.8/32")
    berth.want("demo", on_failure="KEEP", load_balancer=ours(allowed_ranges=RANGES))

    made = berth.carry_out()
    shown = berth.ask("GET", f"{COMPUTE}/global/backendServices/mlflow-demo")["securityPolicy"]
    removed = berth.tear_down()

    assert failed.state == "FAILED"
    assert is_ready(made), made.error
    assert shown.rsplit("/", 1)[-1] not in old
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def policies(berth: Berth) -> list[str]:
    """Return the names of the security policies there are."""
    return [name.rsplit("/", 1)[1] for name in berth.resources() if "/securityPolicies/" in name]


def test_a_foreign_record_is_never_overwritten(berth: Berth) -> None:
    """The error names the record and what it says; what was made before is taken back."""
    make_zone(berth)
    put_record(berth, f"{DOMAIN}.", "A", "192.0.2.99")
    before = berth.resources()

    failed = berth.provision(load_balancer=ours())
    problem = failed.status["problem"]

    assert failed.state == "FAILED"
    assert problem["type"] == "urn:berth:problem:dns-record-taken"
    assert f"{DOMAIN}. A" in problem["detail"]
    assert "192.0.2.99" in problem["detail"]
    assert problem["step"] == "domain: a_record"
    assert berth.cloud.calls.count("sql.databases.insert") == 0
    assert records(berth) == {f"{DOMAIN}. A": ["192.0.2.99"]}
    assert berth.resources() == before


def test_a_record_that_says_the_same_is_used_and_spared(berth: Berth) -> None:
    """Somebody else made it, perhaps with another life time; removal leaves it alone."""
    make_zone(berth)
    address = berth.provision(load_balancer=ours()).status["observed"]["address"]
    berth.tear_down()
    put_record(berth, f"{DOMAIN}.", "A", address, ttl=60)
    before = berth.resources()

    made = berth.provision(load_balancer=ours())
    removed = berth.tear_down()

    assert made.status["observed"]["address"] == address
    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"
    assert removed.state == "DELETED", removed.error
    assert records(berth) == {f"{DOMAIN}. A": [address]}
    assert berth.resources() == before


def test_a_record_that_was_changed_since_is_not_removed(berth: Berth) -> None:
    """The domain leads elsewhere by now, which is nobody's business but its owner's."""
    make_zone(berth)
    berth.provision(load_balancer=ours())
    url = f"{RECORDS}/{ZONE}/rrsets/{DOMAIN}./A"
    berth.ask(
        "PATCH", url, {"name": f"{DOMAIN}.", "type": "A", "ttl": 300, "rrdatas": ["192.0.2.99"]}
    )

    removed = berth.tear_down()

    assert removed.state == "DELETED", removed.error
    assert records(berth) == {f"{DOMAIN}. A": ["192.0.2.99"]}


def test_a_zone_that_is_not_there_is_said_in_words(berth: Berth) -> None:
    """The domain's name in place of the zone's is an easy mistake."""
    before = berth.resources()

    failed = berth.provision(load_balancer=ours())

    assert failed.status["problem"]["type"] == "urn:berth:problem:not-as-needed"
    assert "managed-zones list" in failed.status["problem"]["detail"]
    assert berth.resources() == before


def test_two_deployments_each_have_their_own(berth: Berth) -> None:
    """Removing the one leaves the other as it was."""
    make_zone(berth)
    first = berth.provision("one", load_balancer=ours(domain="one.example.com"))
    before = berth.resources()

    second = berth.provision("two", load_balancer=ours(domain="two.example.com"))
    removed = berth.tear_down("two")

    assert first.status["certificate"] == second.status["certificate"] == "ACTIVE"
    assert first.status["observed"]["address"] != second.status["observed"]["address"]
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_a_domain_belongs_to_one_deployment(berth: Berth) -> None:
    """The second one fails at once, also of somebody else's in the project; nothing is touched."""
    make_zone(berth)
    berth.provision("one", load_balancer=ours())
    before = berth.resources()
    running = berth.launch("provision", "two", berth.want("two", load_balancer=ours()))
    begun = berth.clock.now()
    while berth.outcome("two", running).execution["state"] == "ACTIVE":
        berth.clock.advance(2)

    assert berth.clock.now() - begun < 45
    problem = berth.outcome("two", running).status["problem"]
    assert problem["type"] == "urn:berth:problem:domain-taken"
    assert problem["step"] == "network: dns_authorization"
    assert berth.resources() == before


@pytest.mark.parametrize("seconds", [4, 12, 215, 225, 235, 245, 260, 280, 300, 330])
def test_a_delete_in_the_middle_leaves_nothing(berth: Berth, seconds: float) -> None:
    """Also of what Compute Engine shows only once its operation is over."""
    make_zone(berth)
    allow_verify(berth, "203.0.113.7/32")
    before = berth.resources()
    wanted = berth.want("demo", load_balancer=ours(allowed_ranges=RANGES))
    running = berth.launch("provision", "demo", wanted)
    berth.clock.advance(seconds)

    generation = berth.want("demo", desired="absent")
    berth.cancel(running)
    removed = berth.finish("demo", berth.launch("teardown", "demo", generation))

    assert removed.state == "DELETED", removed.error
    assert berth.claims() == []
    assert berth.resources() == before


@pytest.mark.parametrize("seconds", [5, 220, 240, 262, 285, 310])
def test_wherever_it_dies_the_next_one_ends_ready(berth: Berth, seconds: float) -> None:
    """What an operation had begun is found by its mark and used."""
    make_zone(berth)
    before = berth.resources()
    dead = berth.launch(
        "provision", "demo", berth.want("demo", on_failure="KEEP", load_balancer=ours())
    )
    berth.clock.advance(seconds)
    berth.cancel(dead)

    made = berth.carry_out()
    removed = berth.tear_down()

    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "method",
    [
        "compute.globalAddresses.insert",
        "certificatemanager.projects.locations.dnsAuthorizations.create",
        "dns.resourceRecordSets.create",
        "compute.regionNetworkEndpointGroups.insert",
        "compute.backendServices.insert",
        "certificatemanager.projects.locations.certificates.create",
        "compute.globalForwardingRules.insert",
    ],
)
def test_a_bad_moment_is_survived(berth: Berth, method: str, *, after: bool) -> None:
    """Before its effect or after: look again, and use what is there."""
    make_zone(berth)
    berth.cloud.fail(method, status=503, after=after)

    made = berth.provision(load_balancer=ours())

    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"


def test_what_is_not_ready_or_still_in_use_is_waited_for(berth: Berth) -> None:
    """The order excludes both; but what one call has made or removed is not known to all at once."""
    make_zone(berth)
    before = berth.resources()
    for method in ("compute.urlMaps.insert", "compute.backendServices.setSecurityPolicy"):
        words = "The resource 'x' is not ready"
        berth.cloud.fail(method, status=400, reason="resourceNotReady", message=words, times=3)
    for method in ("compute.backendServices.delete", "compute.globalAddresses.delete"):
        words = "The resource 'x' is already being used by 'y'"
        reason = "resourceInUseByAnotherResource"
        berth.cloud.fail(method, status=400, reason=reason, message=words, times=3)
    certificates = "certificatemanager.projects.locations.dnsAuthorizations.delete"
    words = "can't delete DnsAuthorization that is referenced by a Certificate"
    berth.cloud.fail(certificates, status=400, message=words, times=3)
    allow_verify(berth, "203.0.113.7/32")

    made = berth.provision(load_balancer=ours(allowed_ranges=RANGES))
    removed = berth.tear_down()

    assert is_ready(made), made.error
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_an_operation_that_broke_is_tried_again(berth: Berth) -> None:
    """A requestId would have answered the second attempt with the first one's failure."""
    make_zone(berth)
    berth.cloud.fail_operation("compute.globalForwardingRules.insert", "INTERNAL_ERROR", "internal")

    made = berth.provision(load_balancer=ours())

    assert is_ready(made), made.error
    assert berth.cloud.calls.count("compute.globalForwardingRules.insert") == 2


def test_what_is_in_the_way_stays(berth: Berth) -> None:
    """A backend service of that name without our mark is somebody else's."""
    make_zone(berth)
    body: dict[str, Any] = {"name": "mlflow-demo", "loadBalancingScheme": "EXTERNAL_MANAGED"}
    berth.ask("POST", f"{COMPUTE}/global/backendServices", {**body, "description": "shop"})
    berth.clock.advance(60)
    before = berth.resources()

    failed = berth.provision(load_balancer=ours())

    assert failed.status["problem"]["type"] == "urn:berth:problem:not-ours"
    assert "shop" in failed.status["problem"]["detail"]
    assert berth.resources() == before
