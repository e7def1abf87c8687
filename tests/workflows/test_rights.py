"""Every role that the installation binds is needed, and its loss is told by name.

The cloud enforces IAM, so deployments that become READY prove that the roles are enough. Here each
binding is taken away in turn, and each permission of our own roles is seen to be asked for, to prove
that none is too many.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from install.names import Names
from install.rights import Right, rights
from install.roles import CUSTOM_ROLES
from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of
from tests.workflows.berth import LIMIT, Berth, Outcome
from tests.workflows.lives import LIVES, begin, bring, change

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

NAMES = Names("berth-local", "123456789012", "europe-west1")

OF_OTHERS = {"api", "verify"}
"""What runs these two is not part of a workflow; tests/functions and tests/end_to_end look at them."""

NEEDED_BY = {
    ("credentials", "berthSignIn"): "iap",
    ("workflow", "berthImagePolicies"): "engine",
    ("workflow", "berthEntrances"): "iap",
    ("workflow", "berthApplications"): "engine",
    ("workflow", "berthGround"): "front",
    ("workflow", "berthNetworks"): "private",
    ("workflow", "berthLoadBalancers"): "front",
    ("workflow", "berthRecords"): "front",
    ("app-engine", "storage.objectViewer"): "engine",
    ("app-engine", "logging.logWriter"): "engine",
    ("app-engine", "artifactregistry.createOnPushWriter"): "engine",
}
"""Which deployment needs a role, where it is not every one; by account and role."""

ON_APP_ENGINE = "app-engine"
"""The account that only a deployment on App Engine has to do with, whatever its role there."""

QUIET = {
    ("workflow", "logging.logWriter"): "only a line in the log is missing",
    ("workflow", "pubsub.publisher"): "only the events are missing",
    ("build", "logging.logWriter"): "only the log of a build is missing",
    ("app-engine", "logging.logWriter"): "Google's build writes a log; the local cloud builds none",
    ("app-engine", "artifactregistry.createOnPushWriter"): "Google builds an image for the page; "
    "the local cloud serves its files",
}
"""Without these a deployment still becomes READY here, and something else is missing."""

OF_INSTALLING = {"berth-uploads", "berth-functions"}
"""What only deploying the functions needs; tests/install looks at these."""

OF_A_RACE = "berthSuccession"
"""Needed only where two executions meet."""

OF_A_REAL_SERVER = {
    "server_may_connect",
    "server_may_use_bucket",
    "server_may_sign_as_itself",
    "server_may_log",
}
"""What a server lacks only when it works, and here none does. tests/end_to_end takes the first three
from one that works; without the last what App Engine's machines print is not kept, which
tests/localcloud shows."""

NOT_SEEN = {
    "appengine.operations.list": "asked for where a service is removed while Google still makes it, "
    "as tests/workflows/test_app_engine.py does",
    "dns.changes.create": "Google asks for it with every record; the local cloud for the record only",
    "workflows.executions.create": "needed only where two executions meet",
}
"""What no deployment here asks for, and is needed all the same."""


def role_of(right: Right) -> str:
    """Return a role's short name."""
    return right.role.rsplit("/", 1)[1]


def life_of(right: Right) -> str:
    """Return the deployment that needs the right."""
    if right.on == ON_APP_ENGINE:
        return "engine"
    return NEEDED_BY.get((right.account, role_of(right)), "plain")


def full_name(berth: Berth, right: Right) -> str:
    """Return the resource whose policy holds the right."""
    cloud = berth.cloud
    location = f"projects/{cloud.project}/locations/{cloud.region}"
    places = {
        "project": f"//cloudresourcemanager.googleapis.com/projects/{cloud.project}",
        "registry": f"//storage.googleapis.com/projects/_/buckets/{NAMES.registry}",
        "source": f"//storage.googleapis.com/projects/_/buckets/{NAMES.source}",
        "topic": f"//pubsub.googleapis.com/{NAMES.topic}",
        "images": f"//artifactregistry.googleapis.com/{location}/repositories/berth",
    }
    account = f"//iam.googleapis.com/projects/{cloud.project}/serviceAccounts/"
    return places.get(right.on, account + NAMES.account(right.on))


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


def granted(life: str) -> Iterator[Grant]:
    """Yield what a deployment grants to the account that its server runs as."""
    platform = platform_of()
    wish = {"name": "demo", "team": "risk", **LIVES[life]}
    spec = spec_of(DeploymentRequest.model_validate(wish))
    for part in plan(spec, platform, observed(platform)).parts:
        for step in part.steps:
            if isinstance(step, Grant) and step.member.startswith("serviceAccount:mlflow-demo@"):
                yield step


def short(right: Right) -> str:
    """Return a name for the test."""
    return f"{right.account}-{role_of(right)}-{right.on}"


MATTERS = [
    right
    for right in rights(NAMES)
    if right.account not in OF_OTHERS
    and (right.condition or ("",))[0] not in OF_INSTALLING
    and role_of(right) != OF_A_RACE
]


@pytest.fixture
def equipped(berth: Berth) -> Berth:
    """Return an installation with what teams bring."""
    bring(berth)
    return berth


@pytest.mark.parametrize("right", MATTERS, ids=short)
def test_without_a_role_nothing_becomes_ready(equipped: Berth, right: Right) -> None:
    """The deployment fails and says which permission is missing."""
    take_away(equipped, right)

    outcome = begin(equipped, life_of(right))

    if (right.account, role_of(right)) in QUIET:
        assert outcome.state == "READY"
    else:
        assert outcome.status.get("state") != "READY"
        said = words(outcome)
        assert any(word in said for word in ("ermission", "access", "could not be read")), said


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


@contextmanager
def watched(berth: Berth) -> Iterator[dict[str, set[str]]]:
    """Collect which permissions are asked for, by member."""
    iam, asked = berth.cloud.iam, dict[str, set[str]]()
    answer = iam.allowed

    def allowed(member: str, permission: str, *place: Any, **more: Any) -> bool:
        asked.setdefault(member, set()).add(permission)
        return bool(answer(member, permission, *place, **more))

    iam.allowed = allowed  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        del iam.allowed


def test_every_permission_of_our_own_roles_is_asked_for(equipped: Berth) -> None:
    """In the lives of all kinds of deployments: none of the workflow's is too many."""
    states = {}
    with watched(equipped) as asked:
        for life in LIVES:
            states[life] = [
                begin(equipped, life).status.get("state"),
                change(equipped, life).status.get("state"),
                equipped.tear_down(life).status.get("state"),
            ]

    assert states == {life: ["READY", "READY", "DELETED"] for life in LIVES}
    used = asked[NAMES.member("workflow")]
    roles = {role_of(right) for right in rights(NAMES) if right.account == "workflow"}
    idle = {
        permission
        for role in roles & set(CUSTOM_ROLES)
        for permission in CUSTOM_ROLES[role][1]
        if permission not in used
    }
    assert idle == set(NOT_SEEN)


OF_THE_SERVER = [
    (life, step.name) for life in ("login", "proxy", "engine") for step in granted(life)
]


@pytest.mark.parametrize(("life", "step"), OF_THE_SERVER, ids=str)
def test_without_a_grant_of_its_own_no_server_starts(equipped: Berth, life: str, step: str) -> None:
    """The deployment fails and names what the server's account lacks."""
    equipped.functions.without = step

    outcome = begin(equipped, life)

    if step in OF_A_REAL_SERVER:
        assert outcome.state == "READY"
    else:
        assert outcome.status.get("state") != "READY"
        assert "ermission denied on secret" in words(outcome) or "pulling" in words(outcome)


def test_the_custom_roles_are_all_bound() -> None:
    """A role of our own that nobody has is no role."""
    bound = {role_of(right) for right in rights(NAMES)}

    assert set(CUSTOM_ROLES) <= bound
