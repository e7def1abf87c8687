"""Organisations forbid things: what Berth does fits into the usual rules, and refusals name the way out."""

from typing import Any

import pytest

from localcloud.org_policies.constraints import customer_id
from tests.workflows.berth import Berth
from tests.workflows.lives import LIVES, begin, bring

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow


@pytest.fixture
def strict(berth: Berth) -> Berth:
    """What new organisations forbid, and those that keep their data in the EU."""
    bring(berth)
    constraints = berth.cloud.constraints
    for forbidden in (
        "iam.disableServiceAccountKeyCreation",
        "iam.disableServiceAccountKeyUpload",
        "storage.publicAccessPrevention",
        "storage.uniformBucketLevelAccess",
    ):
        constraints.set(forbidden)
    # Nobody from outside: allUsers is nobody's customer.
    constraints.set("iam.allowedPolicyMemberDomains", allowed=[customer_id("example.com")])
    constraints.set("gcp.resourceLocations", allowed=["in:eu-locations"])
    berth.clock.advance(600)
    return berth


@pytest.mark.parametrize("life", LIVES)
def test_every_kind_of_deployment_fits_into_a_strict_organisation(strict: Berth, life: str) -> None:
    """No key, nothing for allUsers, nothing global that could be regional, no open bucket."""
    made = begin(strict, life)

    assert made.state == "READY", made.status.get("problem")


def test_a_bucket_in_the_multi_region_stays_within_the_eu(strict: Berth) -> None:
    """Where only the EU is allowed, EU is."""
    assert strict.provision(artifact_location="multi_region").state == "READY"


def refused(berth: Berth, **asked: Any) -> dict[str, Any]:
    """Ask for what the organisation forbids, and return the problem."""
    failed = berth.provision(**asked)
    assert failed.state == "FAILED"
    problem: dict[str, Any] = failed.status["problem"]
    return problem


def test_a_database_with_a_public_address_may_be_forbidden(berth: Berth) -> None:
    """The way out is a network, and it works."""
    berth.cloud.constraints.set("sql.restrictPublicIp")
    berth.clock.advance(600)

    problem = refused(berth, placement="dedicated")

    assert problem["type"] == "urn:berth:problem:public-address-forbidden"
    assert '"network": {"name":' in problem["remedy"]
    private = berth.provision(placement="dedicated", network={"name": "default"})
    assert private.state == "READY", private.status.get("problem")


@pytest.mark.parametrize("life", ["login", "proxy"])
def test_a_service_without_google_s_check_may_be_forbidden(berth: Berth, life: str) -> None:
    """The way out is another access mode, and it works."""
    bring(berth)
    berth.cloud.constraints.set("run.managed.requireInvokerIam")
    berth.clock.advance(600)

    problem = refused(berth, **LIVES[life])

    assert problem["type"] == "urn:berth:problem:public-service-forbidden"
    assert '{"mode": "iap"}' in problem["remedy"]
    assert berth.provision(access={"mode": "iap"}).state == "READY"
