"""Every role that the installation binds is needed, and its loss is told by name.

The cloud enforces IAM, so a deployment that becomes READY proves that the roles are enough. Here each
is taken away in turn, to prove that none is too many.
"""

import json
from typing import Any

import pytest

from install.accounts import CUSTOM_ROLES, Right, rights
from install.names import Names
from tests.workflows.berth import LIMIT, Berth, Outcome

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

NAMES = Names("berth-local", "123456789012", "europe-west1")

OF_OTHERS = {"api", "verify"}
"""What runs these two is not part of a workflow; tests/functions looks at them."""

QUIET = {
    ("workflow", "roles/logging.logWriter"): "only a line in the log is missing",
    ("workflow", "roles/pubsub.publisher"): "only the events are missing",
    ("build", "roles/logging.logWriter"): "only the log of a build is missing",
}
"""Without these a deployment still becomes READY, and something else is missing."""


def full_name(berth: Berth, right: Right) -> str:
    """Return the resource whose policy holds the right."""
    cloud = berth.cloud
    location = f"projects/{cloud.project}/locations/{cloud.region}"
    return {
        "project": f"//cloudresourcemanager.googleapis.com/projects/{cloud.project}",
        "registry": f"//storage.googleapis.com/projects/_/buckets/{NAMES.registry}",
        "source": f"//storage.googleapis.com/projects/_/buckets/{NAMES.source}",
        "topic": f"//pubsub.googleapis.com/{NAMES.topic}",
        "images": f"//artifactregistry.googleapis.com/{location}/repositories/berth",
        "build": f"//iam.googleapis.com/projects/{cloud.project}/serviceAccounts/"
        f"{NAMES.account('build')}",
    }[right.on]


def take_away(berth: Berth, right: Right) -> None:
    """Take one binding out of its policy."""
    full = full_name(berth, right)
    policy = berth.cloud.iam.policy(full)
    kept: list[dict[str, Any]] = []
    taken = 0
    for binding in policy["bindings"]:
        titles = (binding.get("condition") or {}).get("title")
        wanted = right.condition[0] if right.condition else None
        members = list(binding["members"])
        if binding["role"] == right.role and titles == wanted:
            taken += members.count(NAMES.member(right.account))
            members = [one for one in members if one != NAMES.member(right.account)]
        if members:
            kept.append({**binding, "members": members})
    assert taken == 1, f"{right} is not bound on {full}"
    berth.cloud.iam.set_policy(full, {**policy, "bindings": kept})


def words(outcome: Outcome) -> str:
    """Return everything that was said about a failure."""
    return json.dumps([outcome.error, outcome.status.get("problem")])


def short(right: Right) -> str:
    """Return a name for the test."""
    return f"{right.account}-{right.role.rsplit('/', 1)[1]}-{right.on}"


OF_INSTALLING = {"berth-uploads", "berth-functions"}
"""What only deploying the functions needs; tests/install looks at these."""

OF_A_RACE = "berthSuccession"
"""Needed only where two executions meet."""

MATTERS = [
    right
    for right in rights(NAMES)
    if right.account not in OF_OTHERS
    and (right.condition or ("",))[0] not in OF_INSTALLING
    and not right.role.endswith(OF_A_RACE)
]


@pytest.mark.parametrize("right", MATTERS, ids=short)
def test_without_a_role_nothing_becomes_ready(berth: Berth, right: Right) -> None:
    """The deployment fails and says which permission is missing."""
    take_away(berth, right)

    outcome = berth.provision(on_failure="KEEP")

    if (right.account, right.role) in QUIET:
        assert outcome.state == "READY"
    else:
        assert outcome.status.get("state") != "READY"
        assert "ermission" in words(outcome) or "access" in words(outcome), words(outcome)


def test_who_may_not_see_executions_cannot_judge_a_lease(berth: Berth) -> None:
    """The second of two executions has to ask whether the first is alive."""
    [right] = [right for right in rights(NAMES) if right.role.endswith(OF_A_RACE)]
    take_away(berth, right)
    generation = berth.want("demo")
    executions = [berth.launch("provision", "demo", generation) for _ in range(2)]

    berth.clock.advance(LIMIT)
    outcomes = [berth.outcome("demo", execution) for execution in executions]

    [failed] = [outcome for outcome in outcomes if outcome.error is not None]
    assert "workflows.executions.get" in words(failed)


def test_the_custom_roles_are_all_bound() -> None:
    """A role of our own that nobody has is no role."""
    bound = {right.role.rsplit("/", 1)[1] for right in rights(NAMES)}

    assert set(CUSTOM_ROLES) <= bound
