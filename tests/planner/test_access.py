"""access: who may enter, by access mode."""

import json

import pytest
from hypothesis import HealthCheck, given, settings

from planner.plan import UnknownPartError, plan_part
from schemas.access import MOST_MEMBERS, IamAccess, IapAccess
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from tests.planner.compiled import BASIC_AUTH, TRAINING, grant, names, part
from tests.planner.drawn import platforms, spec_of

KIB = 1024


def test_members_and_verify_may_call_the_service(platform: Platform) -> None:
    """Each member is bound on the service; verify is one of them, for the proof."""
    members = ["group:risk@example.com", "user:ana@example.com"]
    plan = part(platform, "access", access={"mode": "iam", "members": members})
    assert names(plan) == ["verify_may_enter", "member_1_may_enter", "member_2_may_enter"]
    assert grant(plan, "member_1_may_enter").member == members[0]
    assert grant(plan, "member_1_may_enter").write.url.endswith(
        "/services/mlflow-demo:setIamPolicy"
    )


def test_verify_is_bound_once_even_if_it_is_named(platform: Platform) -> None:
    """Naming Berth's own account changes nothing."""
    member = f"serviceAccount:{platform.accounts.verify}"
    plan = part(platform, "access", access={"mode": "iam", "members": [member]})
    assert names(plan) == ["verify_may_enter"]


def test_trainings_are_let_in_like_a_member(platform: Platform) -> None:
    """Their account calls the service in its own name; it is bound once even if it is named."""
    trains = "serviceAccount:mlflow-demo-train@acme-mlflow.iam.gserviceaccount.com"
    plan = part(platform, "access", access={"mode": "iam", "members": [trains]}, **TRAINING)
    assert names(plan) == ["verify_may_enter", "training_may_enter"]
    assert grant(plan, "training_may_enter").member == trains


def test_behind_a_login_nobody_is_bound_on_the_service(platform: Platform) -> None:
    """Everybody reaches the login; verify and who asked may read the password that opens it."""
    plan = part(platform, "access", **BASIC_AUTH)
    assert names(plan) == ["verify_may_read_admin_password", "requester_may_read_admin_password"]
    assert grant(plan, "requester_may_read_admin_password").member == "user:ana@example.com"
    for name in names(plan):
        assert "mlflow-demo-admin-password" in grant(plan, name).write.url


def test_a_part_that_does_not_exist_is_refused(platform: Platform) -> None:
    """The error names the parts that do."""
    with pytest.raises(UnknownPartError, match="no part roof; the parts are identity, network"):
        part(platform, "roof")


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(platforms())
def test_the_greatest_number_of_members_still_fits(platform: Platform) -> None:
    """Fifty members with the longest addresses make a part that a workflow can hold."""
    address = "a" * 200 + "@" + "b" * 40 + ".example.com"
    people = tuple(f"user:{number:02}{address}" for number in range(MOST_MEMBERS))
    for access in (IamAccess(members=people), IapAccess(mode="iap", members=people)):
        order = spec_of(DeploymentRequest(name="a" * 20, team="b", access=access))
        part = plan_part(order, platform, "access", {})
        assert len(part.steps) >= MOST_MEMBERS + 1
        assert len(json.dumps(part.document())) < 64 * KIB
