"""The documents of the registry: platform, policy, claims, plans."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.claim import Claim
from schemas.plan import PartPlan
from schemas.platform import Platform
from schemas.policy import Policy
from tests.planner.conftest import platform_of

REQUEST = {"method": "POST", "url": "https://storage.googleapis.com/storage/v1/b"}
BUCKET = {
    "kind": "resource",
    "name": "bucket",
    "title": "bucket x",
    "url": "https://storage.googleapis.com/storage/v1/b/x",
    "create": REQUEST,
    "remove": [{"method": "DELETE", "url": "https://storage.googleapis.com/storage/v1/b/x"}],
}
GRANT = {
    "kind": "grant",
    "name": "server_may_use_bucket",
    "title": "the server may use it",
    "role": "roles/storage.objectUser",
    "member": "serviceAccount:x@p.iam.gserviceaccount.com",
    "read": {"method": "GET", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"},
    "write": {"method": "PUT", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"},
    "wrap": False,
}


def part(*steps: dict[str, Any]) -> PartPlan:
    """Return a part of these steps."""
    return PartPlan.model_validate({"part": "artifact_root", "summary": "bucket x", "steps": steps})


def test_a_claim_says_how_to_remove_and_not_how_to_make() -> None:
    """What was made by an older Berth can be removed by a newer one."""
    claim = Claim.of(part(BUCKET, GRANT), deployment="demo", generation=2)
    document = claim.document()
    assert [step["name"] for step in document["steps"]] == ["bucket", "server_may_use_bucket"]
    assert "create" not in document["steps"][0]
    assert document["steps"][0]["remove"][0]["method"] == "DELETE"


def test_what_is_shared_is_not_claimed() -> None:
    """Nobody's teardown takes an image that others run."""
    shared = {**BUCKET, "keep": True, "remove": []}
    assert Claim.of(part(shared), deployment="demo", generation=1).steps == ()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "thing"},
        {"name": "Bucket"},
        {"url": "http://storage.googleapis.com/x"},
        {"create": {"method": "HEAD", "url": "https://x"}},
        {"create": {"method": "GET", "url": "ftp://x"}},
        {"ready": {"path": [], "value": 1}},
        {"operation": {"base": "https://run.googleapis.com/v2", "dialect": "done"}},
        {"colour": "red"},
    ],
)
def test_a_step_that_makes_no_sense_is_refused(change: dict[str, Any]) -> None:
    """The workflow trusts the plan, so the plan is checked."""
    with pytest.raises(ValidationError):
        part({**BUCKET, **change})


def test_a_default_region_must_be_offered() -> None:
    """A request without a region would go nowhere."""
    with pytest.raises(ValidationError, match="asia-east1 is not among the regions europe-west1"):
        platform_of(default_region="asia-east1")


@pytest.mark.parametrize(
    "change",
    [
        {"regions": {}},
        {"images": {}},
        {"project_id": "X"},
        {"project_number": "one"},
        {"images": {"latest": {"digest": "0a1b2c3d4e5f"}}},
        {"functions": {"plan": "http://x", "credentials": "https://x", "verify": "https://x"}},
    ],
)
def test_a_platform_that_cannot_work_is_refused(change: dict[str, Any]) -> None:
    """Mistakes of install are found when its document is read."""
    with pytest.raises(ValidationError):
        platform_of(**change)


def test_a_platform_survives_its_journey_as_json() -> None:
    """What install writes is what the functions read."""
    assert Platform.model_validate_json(platform_of().model_dump_json()) == platform_of()


def test_an_empty_policy_lets_nobody_in() -> None:
    """No admins and no teams unless they are written down."""
    policy = Policy.model_validate({})
    assert policy.admins == ()
    assert policy.teams == {}


@pytest.mark.parametrize(
    "policy",
    [
        {"admins": ["group:x@example.com"]},
        {"admins": ["allUsers"]},
        {"teams": {"risk": {"members": ["ana@example.com"]}}},
        {"teams": {"Risk": {}}},
        {"limits": {"deployments": -1}},
        {"limits": {"sizes": ["huge"]}},
        {"limits": {"placements": ["workspace"]}},
        {"teams": {"risk": {"boss": "ana"}}},
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(policy: dict[str, Any]) -> None:
    """Groups above all: a function cannot look into them, so a rule on one would admit nobody."""
    with pytest.raises(ValidationError):
        Policy.model_validate(policy)
