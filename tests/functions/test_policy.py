"""Who may do what, by the policy alone."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from functions.door.identity import Caller
from functions.door.problems import ProblemError
from functions.records import policy
from schemas.deployment import DeploymentRequest
from tests.functions.conftest import make_policy

RULES = make_policy()


def asked(**changes: object) -> DeploymentRequest:
    """Return a request of the team with narrow limits that keeps to all of them."""
    return DeploymentRequest.model_validate(
        {
            "name": "demo",
            "team": "fraud",
            "region": "us-central1",
            "placement": "dedicated",
            **changes,
        }
    )


@pytest.mark.parametrize(
    ("email", "teams"),
    [
        ("ana@example.com", {"risk", "fraud"}),
        ("eve@risk.example.com", {"risk"}),
        ("ci@acme-mlflow.iam.gserviceaccount.com", {"fraud"}),
        ("owner@example.com", {"risk", "fraud"}),
        ("mallory@example.com", set()),
        ("eve@notrisk.example.com", set()),
        ("eve@risk.example.com.evil.example", set()),
        ("ana@example.com.evil.example", set()),
    ],
)
def test_membership_goes_by_address_and_domain(email: str, teams: set[str]) -> None:
    """Nothing that only looks like a member's address is one."""
    assert policy.teams_of(Caller(email), RULES) == teams


def test_a_user_is_no_service_account_of_the_same_address() -> None:
    """user: and serviceAccount: are different people, even when someone mixes them up."""
    rules = make_policy(teams={"risk": {"members": ["user:ci@p.iam.gserviceaccount.com"]}})

    assert policy.teams_of(Caller("ci@p.iam.gserviceaccount.com"), rules) == frozenset()


def test_the_domain_of_a_project_lets_none_of_its_accounts_in() -> None:
    """A domain means people; a service account is named itself."""
    rules = make_policy(teams={"risk": {"members": ["domain:p.iam.gserviceaccount.com"]}})

    assert policy.teams_of(Caller("ci@p.iam.gserviceaccount.com"), rules) == frozenset()


def test_a_group_cannot_be_a_member() -> None:
    """A function cannot look into groups, so the policy refuses one instead of ignoring it."""
    with pytest.raises(ValidationError):
        make_policy(teams={"risk": {"members": ["group:risk@example.com"]}})


def test_a_stranger_is_told_the_rule_and_the_way() -> None:
    """403 names who, which team, and who can change it."""
    with pytest.raises(ProblemError) as caught:
        policy.require_member(Caller("mallory@example.com"), "risk", RULES)

    problem = caught.value.problem
    assert problem.status == 403
    assert "mallory@example.com is not a member of the team risk" in problem.detail
    assert "teams.risk.members" in (problem.remedy or "")


def test_an_unknown_team_has_no_members_but_admins() -> None:
    """A team that the policy does not name is closed, not open."""
    with pytest.raises(ProblemError, match="not a member"):
        policy.require_member(Caller("ana@example.com"), "ghosts", RULES)
    policy.require_member(Caller("owner@example.com"), "ghosts", RULES)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": "large"}, "sizes of the team fraud allows small, not large"),
        ({"region": "europe-west1"}, "regions of the team fraud allows us-central1"),
        ({"placement": "pooled"}, "placements of the team fraud allows dedicated"),
    ],
)
def test_a_limit_is_named(changes: dict[str, object], words: str) -> None:
    """403 says which limit, what it allows and what was asked for."""
    with pytest.raises(ProblemError) as caught:
        policy.require_allowed(asked(**changes), RULES)

    assert caught.value.problem.status == 403
    assert words in caught.value.problem.detail


def test_within_the_limits_nothing_is_refused() -> None:
    """The limits are limits, not a form to fill in."""
    policy.require_allowed(asked(), RULES)
    policy.require_room("fraud", RULES, 0)


def test_a_full_team_gets_no_more() -> None:
    """The limit counts what exists."""
    with pytest.raises(ProblemError) as caught:
        policy.require_room("fraud", RULES, 1)

    assert caught.value.problem.status == 403
    assert "is 1, and 1 exist" in caught.value.problem.detail


def test_a_team_without_limits_has_those_for_all() -> None:
    """Ten deployments unless the policy says otherwise."""
    policy.require_room("risk", RULES, 9)
    with pytest.raises(ProblemError):
        policy.require_room("risk", RULES, 10)
