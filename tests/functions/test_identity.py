"""Who gets in with which token, and what the others are told."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from functions.door import identity
from functions.door.problems import ProblemError
from schemas.access import GCLOUD

if TYPE_CHECKING:
    from tests.functions.conftest import Issuer

AUDIENCES = ("https://api.example", GCLOUD)

pytestmark = pytest.mark.usefixtures("published")


def refused(header: str | None) -> ProblemError:
    """Return the refusal of a header."""
    with pytest.raises(ProblemError) as caught:
        identity.verified(header, AUDIENCES)
    return caught.value


@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_token_of_google_for_us_gets_in(google: Issuer, audience: str) -> None:
    """Both the api's own URL and gcloud's client id are accepted as audience."""
    caller = identity.verified(f"Bearer {google.token(aud=audience)}", AUDIENCES)

    assert caller.email == "ana@example.com"
    assert caller.member == "user:ana@example.com"
    assert caller.domain == "example.com"


def test_addresses_compare_without_case(google: Issuer) -> None:
    """Ana@Example.com is ana@example.com."""
    caller = identity.verified(f"bearer {google.token(email='Ana@Example.COM')}", AUDIENCES)

    assert caller.email == "ana@example.com"


def test_a_service_account_is_a_member_of_its_own_kind(google: Issuer) -> None:
    """IAM wants serviceAccount: in front of such an address."""
    email = "ci@p.iam.gserviceaccount.com"

    caller = identity.verified(f"Bearer {google.token(email=email)}", AUDIENCES)

    assert caller.member == f"serviceAccount:{email}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1_700_000_000, "iat": 1_699_990_000}, "expired"),
        ({"aud": "https://other.example"}, '"https://other.example"'),
        ({"aud": None}, "audience null"),
        ({"aud": ["https://api.example"]}, "audience"),
        ({"iss": "https://evil.example"}, "not issued by"),
        ({"iss": None}, "not issued by"),
        ({"iss": ["https://accounts.google.com"]}, "not issued by"),
        ({"email": None}, "names no e-mail"),
        ({"email": 7}, "names no e-mail"),
        ({"email_verified": False}, "not verified"),
        ({"email_verified": None}, "not verified"),
        ({"email_verified": "true"}, "not verified"),
        ({"exp": "soon"}, "cannot be verified"),
        ({"iat": 4_000_000_000, "exp": 4_000_003_600}, "not valid yet"),
    ],
)
def test_a_wrong_claim_is_named(google: Issuer, changes: dict[str, object], words: str) -> None:
    """401 says which of the claims is wrong, with the challenge of RFC 6750."""
    error = refused(f"Bearer {google.token(**changes)}")

    assert error.problem.status == 401
    assert words in error.problem.detail
    assert error.headers["WWW-Authenticate"] == 'Bearer realm="berth", error="invalid_token"'


def test_a_forged_signature_is_refused(forger: Issuer) -> None:
    """Everything is right but the key."""
    assert "signature" in refused(f"Bearer {forger.token()}").problem.detail


def test_an_unsigned_token_is_refused(google: Issuer) -> None:
    """The algorithm "none" is the oldest trick."""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "key-1"}).encode()).decode()
    claims = google.token().split(".")[1]

    assert refused(f"Bearer {head.rstrip('=')}.{claims}.").problem.status == 401


def test_a_token_without_its_signature_names_the_way_out(google: Issuer) -> None:
    """Cloud Run's check in front of the api is the operator's mistake, and is called so."""
    stripped = google.token().rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"

    problem = refused(f"Bearer {stripped}").problem

    assert "removed by Cloud Run" in problem.detail
    assert "X-Serverless-Authorization" in (problem.remedy or "")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "no Authorization header"),
        ("", "no Authorization header"),
        ("Bearer", "not of the form"),
        ("Basic YTpi", "not of the form"),
        ("Bearer ya29.abc", "an access token"),
        ("Bearer x.y", "three parts"),
        ("Bearer x.y.z", "cannot be read"),
        ("Bearer " + "x" * 9000, "longer than"),
        ("Bearer W10.W10.W10", "cannot be read"),
        ("Bearer " + base64.b64encode(b"[" * 5000).decode() + ".e30.x", "cannot be read"),
        ("Bearer ä.ö.ü", "cannot be read"),
    ],
)
def test_what_is_no_token_is_called_so(header: str | None, words: str) -> None:
    """Whatever is sent, the answer is a 401 that says what it was."""
    problem = refused(header).problem

    assert problem.status == 401
    assert words in problem.detail


def test_behind_cloud_runs_check_the_address_is_enough(google: Issuer) -> None:
    """The workflow's helpers get tokens without their signatures."""
    stripped = google.token().rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"

    assert identity.forwarded(f"Bearer {stripped}", AUDIENCES).email == "ana@example.com"


def test_behind_cloud_runs_check_a_forged_signature_is_still_refused(forger: Issuer) -> None:
    """Only the very token that Cloud Run marks is believed unsigned."""
    with pytest.raises(ProblemError, match="signature"):
        identity.forwarded(f"Bearer {forger.token()}", AUDIENCES)
