"""Only callers with run.invoker and a good ID token reach a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.identity.tokens import GCLOUD_CLIENT
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.transport import Response

NAME = f"{PARENT}/services/hello"
HOST = "https://hello-123456789012.europe-west1.run.app"
FULL = f"//run.googleapis.com/{NAME}"
FRIEND = "friend@example.com"


@pytest.fixture
def closed(cloud: Cloud, owner: Caller) -> Cloud:
    """Return a cloud with a service that only FRIEND may call."""
    owner.deploy("hello", service())
    cloud.grant(f"user:{FRIEND}", "roles/run.invoker", on=FULL)
    return cloud


def ask(cloud: Cloud, token: str, header: str = "authorization", **more: str) -> Response:
    """Make a request with a bearer token."""
    return cloud.request("GET", HOST, headers={header: f"Bearer {token}", **more})


def test_stranger_without_a_token_is_refused(closed: Cloud) -> None:
    """No token: 403 and the front end's page, as on Google's side."""
    answer = closed.request("GET", HOST)

    assert answer.status == 403
    assert "does not have permission" in answer.text


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "ya29.l.e30.x"])
def test_nonsense_is_no_token(closed: Cloud, token: str) -> None:
    """A token that is none: 401 with a challenge."""
    answer = ask(closed, token)

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_access_token_is_no_id_token(closed: Cloud) -> None:
    """What the APIs accept, services do not."""
    assert ask(closed, closed.tokens.access_token(FRIEND)).status == 401


def test_foreign_audience_is_refused(closed: Cloud) -> None:
    """A token made for another service is not good here."""
    other = HOST.replace("hello", "other")

    assert ask(closed, closed.tokens.id_token(FRIEND, other)).status == 401


def test_expired_token_is_refused(closed: Cloud) -> None:
    """A token whose time has passed is refused."""
    assert ask(closed, closed.tokens.id_token(FRIEND, HOST, lifetime=-60)).status == 401


def test_known_person_without_the_role_is_refused(closed: Cloud) -> None:
    """A good token of somebody without run.routes.invoke: 403."""
    assert ask(closed, closed.tokens.id_token("other@example.com", HOST)).status == 403


def test_service_account_cannot_use_gclouds_audience(closed: Cloud) -> None:
    """The client id of gcloud stands for any service only in a person's token."""
    closed.grant(f"serviceAccount:{ACCOUNT}", "roles/run.invoker", on=FULL)

    assert ask(closed, closed.tokens.id_token(ACCOUNT, GCLOUD_CLIENT)).status == 401
    assert ask(closed, closed.tokens.id_token(ACCOUNT, HOST)).status == 200


@pytest.mark.parametrize("which", ["deterministic", "hash", "gcloud", "slash"])
def test_member_gets_in(closed: Cloud, owner: Caller, which: str) -> None:
    """Either address of the service is an audience, and gcloud's client id for a person."""
    made = owner("GET", NAME).json()
    audience = {
        "deterministic": made["urls"][0],
        "hash": made["uri"],
        "gcloud": GCLOUD_CLIENT,
        "slash": HOST + "/",
    }[which]

    assert ask(closed, closed.tokens.id_token(FRIEND, audience)).status == 200


def test_signature_does_not_go_on(closed: Cloud) -> None:
    """The program sees who called, and cannot use the token again."""
    token = closed.tokens.id_token(FRIEND, HOST)

    seen = ask(closed, token).json()["headers"]["authorization"]

    head, body, _ = token.split(".")
    assert seen == f"Bearer {head}.{body}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_own_header_leaves_authorization_alone(closed: Cloud) -> None:
    """X-Serverless-Authorization is checked and consumed; Authorization is the program's."""
    token = closed.tokens.id_token(FRIEND, HOST)

    answer = ask(closed, token, "x-serverless-authorization", authorization="Basic YTpi")

    seen = answer.json()["headers"]
    assert seen["authorization"] == "Basic YTpi"
    assert "x-serverless-authorization" not in seen


def test_own_header_goes_before_authorization(closed: Cloud) -> None:
    """A bad token in X-Serverless-Authorization is not made good by one in Authorization."""
    token = closed.tokens.id_token(FRIEND, HOST)

    answer = ask(closed, "bad", "x-serverless-authorization", authorization=f"Bearer {token}")

    assert answer.status == 401


def test_role_on_the_project_counts(closed: Cloud) -> None:
    """run.invoker is inherited from the project."""
    closed.grant("user:above@example.com", "roles/run.invoker")

    assert ask(closed, closed.tokens.id_token("above@example.com", HOST)).status == 200


def test_all_users_need_no_token(closed: Cloud, owner: Caller) -> None:
    """Bound to allUsers the service is open, and a token passes through as it came."""
    policy = {"policy": {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}}
    assert owner("POST", f"{NAME}:setIamPolicy", policy).status == 200

    assert closed.request("GET", HOST).status == 200
    assert ask(closed, "own").json()["headers"]["authorization"] == "Bearer own"


def test_disabled_check_needs_the_right_to_set_policies(closed: Cloud, owner: Caller) -> None:
    """Switching the invoker check off opens the service, so a developer may not."""
    developer = Caller(closed, "dev@example.com")
    closed.grant("user:dev@example.com", "roles/run.developer")
    closed.grant("user:dev@example.com", "roles/iam.serviceAccountUser")
    closed.grant("user:dev@example.com", "roles/artifactregistry.reader")
    body = {"invokerIamDisabled": True}
    path = f"{NAME}?updateMask=invokerIamDisabled"

    assert developer("PATCH", path, body).status == 403
    owner.done(owner("PATCH", path, body))
    assert closed.request("GET", HOST).status == 200


def test_custom_audience_is_accepted(closed: Cloud, owner: Caller) -> None:
    """A service can name further audiences."""
    body = {"customAudiences": ["https://fraud.example.com"]}

    owner.done(owner("PATCH", f"{NAME}?updateMask=customAudiences", body))

    token = closed.tokens.id_token(FRIEND, "https://fraud.example.com")
    assert ask(closed, token).status == 200
