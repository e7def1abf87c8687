"""DeploymentRequest: what may be asked for, and what is refused with which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.access import MOST_MEMBERS
from schemas.deployment import DeploymentRequest
from schemas.model import RESERVED_NAMES
from schemas.problem import from_validation_error

SMALLEST = {"name": "fraud", "team": "risk"}


def refusals(**changes: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return message and allowed values of each refusal, by place."""
    with pytest.raises(ValidationError) as caught:
        DeploymentRequest.model_validate({**SMALLEST, **changes})
    problem = from_validation_error(caught.value, DeploymentRequest)
    assert problem.status == 400
    return {error.pointer: (error.message, error.allowed) for error in problem.errors}


def test_a_name_and_a_team_are_enough() -> None:
    """Everything else has a default."""
    request = DeploymentRequest.model_validate(SMALLEST)
    assert request.size == "small"
    assert request.placement == "pooled"
    assert request.access.mode == "iam"
    assert request.serving.platform == "cloud_run"


def test_a_request_cannot_be_changed() -> None:
    """What was validated stays what it was."""
    request = DeploymentRequest.model_validate(SMALLEST)
    with pytest.raises(ValidationError, match="frozen"):
        request.size = "large"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Fraud",
        "1st",
        "-a",
        "a-",
        "a_b",
        "a" * 21,
        "a.b",
        "a b",
        "é",
        "a\n",
        "../x",
        5,
        None,
        [],
    ],
)
def test_a_name_not_allowed_is_refused_at_its_place(name: object) -> None:
    """Names go into URLs, SQL and labels, so only what all of them take is let in."""
    assert "/name" in refusals(name=name)


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "google", "my-google-x", "goog1"])
def test_a_name_that_others_keep_for_themselves_is_refused(name: str) -> None:
    """A database called postgres is not ours, and no bucket may be called google."""
    assert refusals(name=name)["/name"][0].endswith("choose another")


@pytest.mark.parametrize("name", ["a", "a" * 20, "a-1", "a--b", "postgres-x"])
def test_a_good_name_is_good(name: str) -> None:
    """The rule refuses no more than it must."""
    assert DeploymentRequest.model_validate({**SMALLEST, "name": name}).name == name


REFUSED = [
    ({"size": "huge"}, "/size", "small, medium, large"),
    ({"placement": "workspace"}, "/placement", "pooled, dedicated"),
    ({"database": {"engine": "oracle"}}, "/database/engine", "postgresql, mysql"),
    ({"database": {}}, "/database/engine", "postgresql, mysql"),
    ({"database": {"engine": "mysql", "version": "8.0"}}, "/database/version", "8.4"),
    ({"database": {"engine": "postgresql", "version": 18}}, "/database/version", 'quotes: "18"'),
    ({"database": {"engine": "postgresql", "version": 9}}, "/database/version", "16, 17, 18"),
    ({"database": {"engine": "mysql", "charset": "latin1"}}, "/database/charset", "not a field"),
    ({"on_failure": "IGNORE"}, "/on_failure", "ROLLBACK, KEEP"),
    ({"highly_available": "yes"}, "/highly_available", "must be true or false, without quotes"),
    ({"highly_available": 1}, "/highly_available", "must be true or false, without quotes"),
    ({"region": "Europe"}, "/region", "such as europe-west1"),
    ({"mlflow_version": "latest"}, "/mlflow_version", "such as 3.17.2"),
    ({"mlflow_version": 3}, "/mlflow_version", 'must be text in quotes, such as "3.17.2"'),
    ({"colour": "red"}, "/colour", "not a field here; the fields are name, team"),
    ({"access": {"mode": "open"}}, "/access/mode", "iam, basic_auth"),
    ({"access": {}}, "/access/mode", "iam, basic_auth"),
    ({"access": "iap"}, "/access", 'must be an object, such as {"mode": "iam", "members": ['),
    ({"network": "default"}, "/network", 'must be an object, such as {"name": "default"}'),
    ({"labels": "x"}, "/labels", 'must be an object, such as {"cost-center": "4711"}'),
    (
        {"access": {"mode": "iam", "members": "user:a@b.de"}},
        "/access/members",
        'must be a list, such as ["group:risk@example.com", "user:ana@example.com"]',
    ),
    (
        {"access": {"mode": "iam", "members": [5]}},
        "/access/members/0",
        "members[0] must be text in quotes",
    ),
    (
        {"serving": {"platform": "cloud_run", "concurrency": "40"}},
        "/serving/concurrency",
        "must be a whole number, without quotes",
    ),
    ({"access": {"mode": "iam", "members": ["allUsers"]}}, "/access/members/0", "never public"),
    (
        {
            "access": {
                "mode": "oauth2_proxy",
                "oauth_client": {"id_secret": "a", "secret_secret": "b"},
                "members": ["group:risk@example.com"],
            }
        },
        "/access/members/0",
        "user:EMAIL or serviceAccount:EMAIL; the proxy cannot look into groups",
    ),
    (
        {"access": {"mode": "iam", "members": ["allAuthenticatedUsers"]}},
        "/access/members/0",
        "never public",
    ),
    (
        {"access": {"mode": "iam", "members": ["user:a@b.de", "user:a@b.de"]}},
        "/access/members",
        "more than once: user:a@b.de",
    ),
    (
        {
            "access": {
                "mode": "iam",
                "members": [f"user:a{n}@b.de" for n in range(MOST_MEMBERS + 1)],
            }
        },
        "/access/members",
        "at most 50",
    ),
    ({"access": {"mode": "iam", "user": "x"}}, "/access/user", "the fields are mode, members"),
    ({"access": {"mode": "basic_auth", "password": "x"}}, "/access/password", "not a field here"),
    (
        {"load_balancer": {"domain": "a.example.org", "allowed_ranges": ["198.51.100.7/24"]}},
        "/load_balancer/allowed_ranges/0",
        "write 198.51.100.0/24 for the network, or 198.51.100.7/32 for the one address",
    ),
    (
        {"load_balancer": {"domain": "a.example.org", "allowed_ranges": ["2001:db8::7/32"]}},
        "/load_balancer/allowed_ranges/0",
        "write 2001:db8::/32 for the network, or 2001:db8::7/128 for the one address",
    ),
    (
        {"load_balancer": {"domain": "a.example.org", "allowed_ranges": ["office"]}},
        "/load_balancer/allowed_ranges/0",
        "office is no range of addresses: ",
    ),
    ({"serving": {"platform": "gke"}}, "/serving/platform", "cloud_run, app_engine"),
    ({"serving": {}}, "/serving/platform", "must be one of"),
    (
        {"serving": {"platform": "cloud_run", "min_instances": -1}},
        "/serving/min_instances",
        "must be at least 0",
    ),
    (
        {"serving": {"platform": "cloud_run", "max_instances": 2.5}},
        "/serving/max_instances",
        "must be a whole number, without quotes",
    ),
    ({"labels": {"Cost": "x"}}, "/labels/Cost", "small letter"),
    ({"labels": {"cost": "X"}}, "/labels/cost", "at most 63"),
    ({"labels": {"a/b~c": "x"}}, "/labels/a~1b~0c", "small letter"),
    ({"labels": {"managed-by": "me"}}, "/labels/managed-by", "Berth's own mark"),
    ({"labels": {"berth-deployment": "me"}}, "/labels/berth-deployment", "Berth's own mark"),
    ({"labels": {f"l{n}": "x" for n in range(9)}}, "/labels", "at most 8"),
]


@pytest.mark.parametrize(("changes", "place", "words"), REFUSED)
def test_a_wrong_value_is_refused_at_its_place_with_what_would_work(
    changes: dict[str, Any], place: str, words: str
) -> None:
    """The pointer is a path of the caller's own document; the message helps."""
    message, _ = refusals(**changes)[place]
    assert words in message


def test_few_allowed_values_are_listed() -> None:
    """A program can offer them."""
    assert refusals(size="huge")["/size"][1] == ("small", "medium", "large")
    assert refusals(access={"mode": "open"})["/access/mode"][1] == (
        "iam",
        "basic_auth",
        "iap",
        "oauth2_proxy",
    )


def test_every_mistake_is_said_at_once() -> None:
    """One answer for all of them."""
    assert refusals(size="x", name="X", colour=1).keys() == {"/size", "/name", "/colour"}


@pytest.mark.parametrize("body", [[], "x", 5, None, True])
def test_a_body_that_is_no_object_is_refused_as_a_whole(body: object) -> None:
    """The pointer to the whole document is the empty one."""
    with pytest.raises(ValidationError) as caught:
        DeploymentRequest.model_validate(body)
    problem = from_validation_error(caught.value, DeploymentRequest)
    assert [error.pointer for error in problem.errors] == [""]


def test_a_request_survives_its_journey_as_json() -> None:
    """What is stored is what was asked, defaults filled in."""
    request = DeploymentRequest.model_validate({**SMALLEST, "access": {"mode": "basic_auth"}})
    assert DeploymentRequest.model_validate_json(request.model_dump_json()) == request
