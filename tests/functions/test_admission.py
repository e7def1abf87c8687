"""What may be asked for, seen through the api with validate_only: nothing is ever made."""

from __future__ import annotations

from typing import Any

import pytest

from functions.door import problems
from functions.intake import admission
from functions.records import platform
from schemas.deployment import DeploymentRequest
from tests.functions.conftest import Ask, Issuer, make_platform, serve

pytestmark = pytest.mark.usefixtures("installed")


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"name": None}, "/name", "required"),
        ({"team": None}, "/team", "required"),
        ({"name": "Demo"}, "/name", ""),
        ({"name": "d" * 21}, "/name", ""),
        ({"name": "demo-"}, "/name", ""),
        ({"name": "9demo"}, "/name", ""),
        ({"name": "demo\n"}, "/name", ""),
        ({"name": ""}, "/name", ""),
        ({"name": 7}, "/name", ""),
        ({"name": "postgres"}, "/name", "the database keeps"),
        ({"sise": "small"}, "/sise", "not a field"),
        ({"size": "huge"}, "/size", "small, medium, large"),
        ({"size": 1}, "/size", ""),
        ({"highly_available": "yes"}, "/highly_available", ""),
        ({"highly_available": 1}, "/highly_available", ""),
        (
            {"serving": {"platform": "cloud_run", "min_instances": "1"}},
            "/serving/min_instances",
            "",
        ),
        ({"serving": {"platform": "cloud_run", "min_instances": -1}}, "/serving/min_instances", ""),
        ({"serving": []}, "/serving", ""),
        ({"access": {"mode": "kerberos"}}, "/access/mode", "iam"),
        ({"access": {"mode": "iam", "members": ["allUsers"]}}, "/access/members/0", ""),
        ({"access": {"mode": "iam", "members": "user:a@b.de"}}, "/access/members", ""),
        ({"access": {"mode": "basic_auth", "password": "x"}}, "/access/password", "not a field"),
        ({"labels": {"managed-by": "me"}}, "/labels/managed-by", "own mark"),
        ({"region": "mars-north1"}, "/region", "europe-west1"),
        ({"mlflow_version": "1.0.0"}, "/mlflow_version", "3.17.2"),
    ],
)
def test_what_is_wrong_is_pointed_at(
    ask: Ask, changes: dict[str, object], pointer: str, words: str
) -> None:
    """400 with a JSON pointer to the place in the caller's own document."""
    body = {"name": "demo", "team": "risk", **changes}

    answer = ask({key: value for key, value in body.items() if value is not None})

    assert answer.status_code == 400, answer.json
    found = {error["pointer"]: error["message"] for error in answer.json["errors"]}
    assert pointer in found, found
    assert words in found[pointer]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        (
            {"highly_available": True, "placement": "dedicated"},
            {"/highly_available", "/size"},
        ),
        (
            {"highly_available": True, "size": "large"},
            {"/highly_available", "/placement"},
        ),
        ({"region": "us-central1"}, {"/placement", "/region"}),
    ],
)
def test_a_contradiction_names_both_sides(
    ask: Ask, changes: dict[str, object], pointers: set[str]
) -> None:
    """Two options that exclude each other are both pointed at, with what would work."""
    answer = ask({"name": "demo", "team": "risk", **changes})

    assert answer.status_code == 400
    assert {error["pointer"] for error in answer.json["errors"]} == pointers
    assert "contradict" in answer.json["errors"][0]["message"]


def test_everything_wrong_is_said_at_once(ask: Ask) -> None:
    """Nobody likes to be told one mistake per attempt."""
    answer = ask(
        {"name": "demo", "team": "risk", "region": "mars-north1", "mlflow_version": "1.0.0"}
    )

    assert {error["pointer"] for error in answer.json["errors"]} == {"/region", "/mlflow_version"}


def test_without_a_pool_pooled_is_refused_with_the_reason(ask: Ask) -> None:
    """`--pool none` at install time is a choice, and callers hear of it."""
    without = make_platform().document()
    without["regions"]["europe-west1"]["pool"] = None
    platform.keep("platform.json", make_platform(regions=without["regions"]), seconds=60)

    answer = ask({"name": "demo", "team": "risk"})

    assert answer.status_code == 400
    assert "without a shared instance" in answer.json["detail"] + str(answer.json["errors"])


def test_who_is_not_of_the_team_is_refused(ask: Ask) -> None:
    """403 comes before anything is said about what the platform offers."""
    answer = ask({"name": "demo", "team": "risk", "region": "mars-north1"}, who="eve@example.com")

    assert answer.status_code == 403
    assert "not a member of the team risk" in answer.json["detail"]


def test_a_limit_of_the_team_is_named(ask: Ask) -> None:
    """The team fraud may only have small ones, dedicated, in one region."""
    answer = ask({"name": "demo", "team": "fraud", "size": "large"})

    assert answer.status_code == 403
    assert "sizes" in answer.json["detail"]


def test_no_token_is_401_before_the_body_is_read(api: Any) -> None:
    """Strangers learn nothing about the shape of requests."""
    answer = api.post("/v1/deployments", data=b"{")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="berth"'


def test_validate_only_is_true_or_false(api: Any) -> None:
    """A slip must not turn a rehearsal into the real thing."""
    assert api.post("/v1/deployments?validate_only=1", json={}).status_code == 400


def test_the_longest_list_of_members_has_room_for_the_caller(ask: Ask) -> None:
    """What is accepted can always be read back: the caller counts as one of the members."""
    members = [f"user:u{number}@example.com" for number in range(50)]
    body = {"name": "demo", "team": "risk", "access": {"mode": "iam", "members": members}}

    answer = ask(body)

    assert answer.status_code == 400
    assert answer.json["errors"][0]["pointer"] == "/access/members"


def test_the_order_of_members_makes_no_difference() -> None:
    """Naming the same people in another order is the same request."""
    first, second = (
        DeploymentRequest.model_validate(
            {"name": "demo", "team": "risk", "access": {"mode": "iam", "members": members}}
        )
        for members in (["user:a@b.de", "user:c@d.de"], ["user:c@d.de", "user:a@b.de"])
    )

    assert admission.differences(first, second) == ()


def test_a_difference_says_what_was_and_what_would_be() -> None:
    """409 is only useful when it says what differs."""
    first, second = (
        DeploymentRequest.model_validate({"name": "demo", "team": "risk", "size": size})
        for size in ("small", "large")
    )

    (difference,) = admission.differences(first, second)

    assert difference.pointer == "/size"
    assert difference.message == "size is small and would become large"


@pytest.mark.parametrize("target", ["plan", "credentials", "verify"])
@pytest.mark.parametrize("who", ["ana@example.com", "owner@example.com"])
def test_only_the_workflow_may_call_the_helpers(google: Issuer, target: str, who: str) -> None:
    """Not even an admin: the helpers act with rights of their own."""
    token = google.token(email=who).rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"

    answer = serve(target).post("/", json={}, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 403
    assert "only berth-workflow@" in answer.json["detail"].lower()


@pytest.mark.parametrize("target", ["plan", "credentials", "verify"])
def test_the_helpers_want_a_token(target: str) -> None:
    """Without one nobody knows who calls."""
    assert serve(target).post("/", json={}).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"deployment": "demo"},
        {"deployment": "../x", "generation": 1, "part": "image"},
        {"deployment": "demo", "generation": 0, "part": "image"},
        {"deployment": "demo", "generation": 1},
        {"deployment": "demo", "generation": 1, "part": "image", "error": {}},
        {"deployment": "demo", "generation": 1, "part": "image", "more": 1},
    ],
)
def test_a_call_of_the_workflow_is_checked_like_any_other(
    google: Issuer, body: dict[str, object]
) -> None:
    """A bug in the workflow shows as a 400 that names it."""
    workflow = make_platform().accounts.workflow
    token = google.token(email=workflow).rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"

    answer = serve("plan").post("/", json=body, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 400


def test_an_error_is_explained_without_the_spec(google: Issuer) -> None:
    """Whoever asks what went wrong gets an answer, whatever else is broken."""
    workflow = make_platform().accounts.workflow
    token = google.token(email=workflow).rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"
    error = {
        "tags": ["NotOurs"],
        "part": "artifact_root",
        "step": "bucket",
        "message": "in the way",
    }

    answer = serve("plan").post(
        "/",
        json={"deployment": "demo", "generation": 1, "error": error},
        headers={"Authorization": f"Bearer {token}"},
    )

    assert answer.status_code == 200
    assert answer.json["step"] == "artifact_root: bucket"
    assert answer.json["instance"] == "/v1/deployments/demo"
    assert answer.json["remedy"]


CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
ANA = "user:ana@example.com"


def asked(**access: Any) -> DeploymentRequest:
    """Return a request with this access."""
    return DeploymentRequest.model_validate({"name": "demo", "team": "risk", "access": access})


@pytest.mark.parametrize(
    "access",
    [
        {"mode": "iam"},
        {"mode": "iap"},
        {"mode": "iap", "allowed_domains": ["example.com"]},
        {"mode": "oauth2_proxy", "oauth_client": CLIENT},
    ],
)
def test_who_asks_may_enter_wherever_there_are_members(access: dict[str, Any]) -> None:
    """Once, even if he asks again, and the request stays one that can be read back."""
    once = admission.with_requester(asked(**access), ANA)
    twice = admission.with_requester(once, ANA)

    assert once.document()["access"]["members"] == [ANA]
    assert twice == once
    assert DeploymentRequest.model_validate(once.document()) == once


def test_who_asks_may_pass_iap_before_mlflow_s_login() -> None:
    """The members stand under iap there."""
    found = admission.with_requester(asked(mode="basic_auth", iap={}), ANA)

    assert found.document()["access"]["iap"]["members"] == [ANA]


def test_mlflow_s_login_alone_has_no_members() -> None:
    """Nothing is added where nobody is named."""
    request = asked(mode="basic_auth")

    assert admission.with_requester(request, ANA) == request


def test_the_team_s_limit_to_domains_counts_for_the_one_who_asks() -> None:
    """An operator of another domain is not let in, and the request stays one that can be read."""
    request = asked(mode="iap", allowed_domains=["example.com"])

    found = admission.with_requester(request, "user:ops@cloud.example.org")
    robot = admission.with_requester(request, "serviceAccount:ci@x.iam.gserviceaccount.com")

    assert found == request
    assert robot.document()["access"]["members"] != []


@pytest.mark.parametrize("mode", ["iap", "oauth2_proxy", "basic_auth"])
def test_too_many_members_are_refused_where_they_stand(mode: str) -> None:
    """Fifty and the one who asks are too many, under every mode."""
    many = [f"user:u{number}@example.com" for number in range(50)]
    access: dict[str, Any] = {"mode": mode, "members": many}
    if mode == "oauth2_proxy":
        access["oauth_client"] = CLIENT
    if mode == "basic_auth":
        access = {"mode": mode, "iap": {"members": many}}

    with pytest.raises(problems.ProblemError) as refused:
        admission.with_requester(asked(**access), ANA)

    (error,) = refused.value.problem.errors
    assert error.pointer == ("/access/iap/members" if mode == "basic_auth" else "/access/members")
