"""What DNS says of a domain: an address that leads others elsewhere is found, and called by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from planner.remedies import diagnosis
from tests.functions.doorstep import REGION, failing, prove
from tests.functions.entrance_deployments import deployments, serve
from tests.functions.test_balanced_entrances import shut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-domain-records")

DOMAIN, OURS, THEIRS = "mlflow.risk.example.com", "203.0.113.10", "192.0.2.99"
FRONT = f"mlflow-front-123456789012.{REGION}.run.app"
"""Stands for the domain's server; what is looked up is the domain."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The verify function, and a deployment behind a load balancer that works."""
    with deployments(tmp_path_factory.mktemp("berth")) as made:
        shut(made, "iam-behind")
        serve(made, "iam-behind", hosts=(FRONT,))
        yield made


@pytest.fixture
def berth(shared: Berth) -> Iterator[Berth]:
    """The same, with no record of the domain before and after."""
    yield shared
    for kind in ("A", "AAAA", "CNAME"):
        shared.cloud.resolver.withdraw(DOMAIN, kind)


def proof_of(berth: Berth, *, front: str = FRONT, **more: Any) -> Any:
    """Return the proof through the domain."""
    observed = {"certificate": "ACTIVE", "urls": [f"https://{front}"], "address": OURS, **more}
    return prove(berth, "iam-behind", **observed)


def checks(proof: Any) -> dict[str, str]:
    """Return what each check found."""
    return {check["name"]: check["detail"] for check in proof["checks"]}


def test_a_domain_that_leads_here_is_seen(berth: Berth) -> None:
    """The record is as it has to be, and all else is proved."""
    berth.cloud.resolver.publish(DOMAIN, "A", OURS)

    proof = proof_of(berth)

    assert proof["ok"] is True, proof
    assert checks(proof)["domain leads here"] == f"{DOMAIN} leads to {OURS}"


@pytest.mark.parametrize("six", [("2001:db8::99",), ("2001:db8::99", "2001:db8::98")])
def test_an_address_that_leads_callers_with_ipv6_elsewhere_is_called_by_name(
    berth: Berth, six: tuple[str, ...]
) -> None:
    """Everything works from here; who has IPv6 would land at somebody else's."""
    berth.cloud.resolver.publish(DOMAIN, "A", OURS)
    berth.cloud.resolver.publish(DOMAIN, "AAAA", *six)

    proof = proof_of(berth)

    assert failing(proof) == (["domain leads here"], True)
    assert all(one in proof["summary"] for one in six)
    assert "has an AAAA record" in proof["summary"]


def test_the_problem_says_to_remove_it(berth: Berth) -> None:
    """What the watch makes of the proof's words is the remedy for this and nothing vaguer."""
    berth.cloud.resolver.publish(DOMAIN, "A", OURS)
    berth.cloud.resolver.publish(DOMAIN, "AAAA", "2001:db8::99")
    words = (
        f"the certificate is issued, but the domain does not work - {proof_of(berth)['summary']}"
    )

    problem = diagnosis({"tags": ["DomainNotProved"], "message": words, "cause": None})

    assert problem.type.endswith(":domain-ipv6")
    assert "Remove the AAAA record" in (problem.remedy or "")


def test_an_alias_is_followed(berth: Berth) -> None:
    """The addresses are those at its end; the alias itself is none."""
    berth.cloud.resolver.publish(DOMAIN, "CNAME", "front.example.net.")
    berth.cloud.resolver.publish("front.example.net", "A", OURS)

    assert checks(proof_of(berth))["domain leads here"] == f"{DOMAIN} leads to {OURS}"


def test_something_of_the_team_s_own_may_stand_in_front(berth: Berth) -> None:
    """Its addresses are its business, IPv6 among them, as long as the proof gets through."""
    berth.cloud.resolver.publish(DOMAIN, "A", THEIRS)
    berth.cloud.resolver.publish(DOMAIN, "AAAA", "2001:db8::99")

    assert proof_of(berth)["ok"] is True


@pytest.mark.parametrize(("records", "where"), [((THEIRS,), THEIRS), ((), "nothing")])
def test_where_a_domain_leads_instead_is_said_when_the_proof_fails(
    berth: Berth, records: tuple[str, ...], where: str
) -> None:
    """What did not work comes first, and then why that may be."""
    if records:
        berth.cloud.resolver.publish(DOMAIN, "A", *records)

    proof = proof_of(berth, front=f"nobody-123456789012.{REGION}.run.app")

    assert proof["ok"] is False
    assert f"{DOMAIN} leads to {where}, not {OURS}" in proof["checks"][-1]["detail"]


def test_what_cannot_be_looked_up_is_no_reason_to_fail(berth: Berth) -> None:
    """Some networks let nothing out but Google's APIs; and an older observation has no address."""
    berth.cloud.resolver.publish(DOMAIN, "AAAA", "2001:db8::99")

    proof = proof_of(berth, address=None)

    assert proof["ok"] is True, proof
    assert "domain leads here" not in checks(proof)


def test_before_the_certificate_nothing_is_looked_up(berth: Berth) -> None:
    """Nobody comes in by the domain yet, and its records may still be on their way."""
    berth.cloud.resolver.publish(DOMAIN, "A", OURS)
    berth.cloud.resolver.publish(DOMAIN, "AAAA", "2001:db8::99")

    assert set(checks(proof_of(berth, certificate="PROVISIONING"))) == {"side doors shut"}
