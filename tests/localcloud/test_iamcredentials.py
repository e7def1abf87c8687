"""What acting as a service account needs, and what it gives."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.transport import Response
    from tests.localcloud.conftest import Ask

HOST = "iamcredentials.googleapis.com"
SCOPE = ["https://www.googleapis.com/auth/cloud-platform"]
ANA = "ana@example.com"


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable(HOST)


@pytest.fixture
def trusted(cloud: Cloud, account: str) -> str:
    """An account that ana may act as."""
    cloud.grant(
        f"user:{ANA}",
        "roles/iam.serviceAccountTokenCreator",
        on=f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{account}",
    )
    return account


def _act(ask: Ask, email: str, verb: str, body: dict[str, Any], who: str = ANA) -> Response:
    return ask("POST", f"{HOST}/v1/projects/-/serviceAccounts/{email}:{verb}", body, who=who)


def test_access_token_is_the_accounts(cloud: Cloud, ask: Ask, trusted: str) -> None:
    """The token calls APIs as the account, with its rights."""
    found = _act(ask, trusted, "generateAccessToken", {"scope": SCOPE, "lifetime": "600s"}).json()

    headers = {"authorization": f"Bearer {found['accessToken']}"}
    assert cloud.tokens.identify(headers).email == trusted
    assert found["expireTime"] == "2026-11-20T08:10:00Z"


@pytest.mark.parametrize("verb", ["generateAccessToken", "generateIdToken", "signJwt", "signBlob"])
def test_even_the_owner_may_not_impersonate(ask: Ask, account: str, verb: str) -> None:
    """roles/owner does not contain the right to mint tokens."""
    bodies: dict[str, dict[str, Any]] = {
        "generateAccessToken": {"scope": SCOPE},
        "generateIdToken": {"audience": "x"},
        "signJwt": {"payload": "{}"},
        "signBlob": {"payload": "aGk="},
    }

    response = _act(ask, account, verb, bodies[verb], who="owner@example.com")

    assert response.status == 403
    assert "iam.serviceAccounts." in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scope": SCOPE, "lifetime": "7200s"},
        {"scope": SCOPE, "lifetime": "0s"},
        {"scope": SCOPE, "lifetime": "an hour"},
        {"scope": SCOPE, "delegates": ["projects/-/serviceAccounts/x@y.z"]},
    ],
)
def test_wrong_request_is_400(ask: Ask, trusted: str, body: dict[str, Any]) -> None:
    """Scope is needed and the lifetime is an hour at most."""
    assert _act(ask, trusted, "generateAccessToken", body).status == 400


def test_id_token_has_the_email_only_when_asked(cloud: Cloud, ask: Ask, trusted: str) -> None:
    """Without includeEmail a token has no e-mail claim, as on Google Cloud."""
    plain = _act(ask, trusted, "generateIdToken", {"audience": "https://x"}).json()["token"]
    asked = {"audience": "https://x", "includeEmail": True}
    full = _act(ask, trusted, "generateIdToken", asked).json()["token"]

    plain_claims, full_claims = (cloud.tokens.verify_id_token(t) for t in (plain, full))
    assert plain_claims is not None
    assert full_claims is not None
    assert "email" not in plain_claims
    assert full_claims["email"] == trusted
    assert plain_claims["aud"] == full_claims["aud"] == "https://x"


def test_signatures_verify_with_the_published_key(cloud: Cloud, ask: Ask, trusted: str) -> None:
    """What signBlob and signJwt sign can be checked with the account's certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    blob = _act(ask, trusted, "signBlob", {"payload": "aGk="}).json()
    certs = cloud.request(
        "GET", f"https://www.googleapis.com/service_accounts/v1/metadata/x509/{trusted}"
    ).json()
    key = x509.load_pem_x509_certificate(certs[blob["keyId"]].encode()).public_key()

    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(base64.b64decode(blob["signedBlob"]), b"hi", padding.PKCS1v15(), hashes.SHA256())
    jwt = _act(ask, trusted, "signJwt", {"payload": '{"sub": "me", "exp": 9999999999}'}).json()
    assert cloud.tokens.verify_id_token(jwt["signedJwt"]) == {"sub": "me", "exp": 9999999999}


@pytest.mark.parametrize("payload", ["not json", "[]"])
def test_jwt_claims_must_be_an_object(ask: Ask, trusted: str, payload: str) -> None:
    """Only a JSON object can be signed as claims."""
    assert _act(ask, trusted, "signJwt", {"payload": payload}).status == 400


def test_disabled_account_cannot_be_acted_as(ask: Ask, trusted: str) -> None:
    """Trust in an account ends with the account."""
    url = f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{trusted}"
    ask("POST", f"{url}:disable", {})

    assert _act(ask, trusted, "generateAccessToken", {"scope": SCOPE}).status == 404
