"""Notes: what somebody who asks ought to know, and only where it is true."""

from typing import Any

import pytest

from planner import notes
from planner.target import Target
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from tests.planner.drawn import spec_of

CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
DOMAIN = "mlflow.risk.example.com"


def told(
    platform: Platform, *, who: str = "ana@example.com", ready: bool = False, **request: Any
) -> str:
    """Return all notes of a request, as one text."""
    asked = DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})
    spec = spec_of(asked).model_copy(update={"created_by": who})
    return "\n".join(notes.of(Target(spec, platform), ready=ready))


def iap(**more: Any) -> dict[str, Any]:
    """Return a request for IAP."""
    return {"access": {"mode": "iap", **more}}


def behind_iap(**more: Any) -> dict[str, Any]:
    """Return a request for MLflow's login with IAP before it."""
    return {"access": {"mode": "basic_auth", "iap": more}}


def balanced(**more: Any) -> dict[str, Any]:
    """Return a request for a load balancer."""
    return {"load_balancer": {"domain": DOMAIN, **more}}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"access": {"mode": "basic_auth"}},
        iap(),
        iap(allowed_domains=["example.com"]),
        iap(allowed_domains=["other.example", "example.com"]),
        iap(members=["user:ben@example.com", "domain:example.com", "group:all@other.example"]),
        behind_iap(members=["domain:example.com"]),
        {"placement": "dedicated", "network": {}},
    ],
)
def test_where_nothing_is_to_be_said_nothing_is(
    platform: Platform, request_: dict[str, Any]
) -> None:
    """A note that is always there is read by nobody."""
    assert told(platform, **request_) == ""


@pytest.mark.parametrize(
    "request_",
    [
        iap(members=["domain:partner.example"], allowed_domains=["partner.example"]),
        behind_iap(members=["domain:partner.example"], allowed_domains=["partner.example"]),
    ],
)
@pytest.mark.parametrize("ready", [False, True])
def test_who_asked_and_is_kept_out_is_told_for_as_long_as_it_is_so(
    platform: Platform, request_: dict[str, Any], *, ready: bool
) -> None:
    """By name, with what lets him in."""
    text = told(platform, ready=ready, **request_)

    assert "ana@example.com, who asked, cannot enter" in text
    assert "people of partner.example only" in text
    assert "ask for example.com in allowed_domains" in text


@pytest.mark.parametrize(
    "who", ["Ana@EXAMPLE.com", "ci@acme-mlflow.iam.gserviceaccount.com", "ana@example.com"]
)
def test_who_is_let_in_is_told_nothing(platform: Platform, who: str) -> None:
    """Addresses have no case in their domain, and the limit is for people."""
    assert told(platform, who=who, **iap(allowed_domains=["example.com"])) == ""


def test_people_of_elsewhere_need_a_client_of_the_team_s_own(platform: Platform) -> None:
    """Google's own admits the organisation's only; with one brought there is another thing to do."""
    outside = ["user:ben@partner.example", "domain:partner.example", "group:x@partner.example"]

    without = told(platform, **iap(members=outside))
    brought = told(platform, **iap(members=outside, oauth_client=CLIENT))

    assert "user:ben@partner.example, domain:partner.example are, bring one" in without
    assert "group:" not in without
    assert "bring one" not in brought
    assert "clientIds/CLIENT_ID:handleRedirect" in brought


def test_a_program_that_asks_has_no_organisation_of_its_own(platform: Platform) -> None:
    """Whose people are outside cannot be guessed from a service account."""
    who = "ci@acme-mlflow.iam.gserviceaccount.com"

    assert told(platform, who=who, **iap(members=["user:ben@example.com"])) == ""


def test_redirect_uris_are_known_before_anything_is_made(platform: Platform) -> None:
    """Every address of the server; once READY they stand under login."""
    access = {"mode": "oauth2_proxy", "oauth_client": CLIENT}
    here = "https://mlflow-demo-123456789012.europe-west1.run.app/oauth2/callback"

    assert here in told(platform, access=access)
    assert f"https://{DOMAIN}/oauth2/callback" in told(platform, access=access, **balanced())
    assert told(platform, access=access, ready=True) == ""


def test_of_a_domain_one_hears_what_to_do_and_what_to_wait_for(platform: Platform) -> None:
    """Records only where they are not made by Berth; and nothing of it when it is READY."""
    by_hand, ours = told(platform, **balanced()), told(platform, **balanced(dns_zone="risk"))

    assert f"two DNS records of {DOMAIN} are for you to make" in by_hand
    assert "for you to make" not in ours
    for text in (by_hand, ours):
        assert "READY does not wait for the certificate" in text
    assert told(platform, ready=True, **balanced()) == ""


def test_ranges_that_let_nobody_in_are_told(platform: Platform) -> None:
    """They do no harm beside others, so they are not refused."""
    ranges = ["198.51.100.0/24", "2001:db8::/32"]

    text = told(platform, ready=True, **balanced(allowed_ranges=ranges))

    assert "nobody arrives from 2001:db8::/32" in text
    assert "198.51.100.0/24" not in text


def test_an_application_is_announced_before_it_is_made(platform: Platform) -> None:
    """It cannot be taken back, so it is said while there is time; in App Engine's own words."""
    request: dict[str, Any] = {"serving": {"platform": "app_engine"}, **iap()}

    assert "one is made in europe-west, and stays" in told(platform, **request)
    assert told(platform, ready=True, **request) == ""
