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
        {"scope": SCOPE, "delegates": ["x@y.z"]},
        {"scope": SCOPE, "delegates": "projects/-/serviceAccounts/x@y.z"},
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
    jwt = _act(ask, trusted, "signJwt", {"payload": '{"sub": "me"}'}).json()
    claims = cloud.tokens.accounts.verified(trusted, jwt["signedJwt"])
    assert claims == {"sub": "me", "exp": int(cloud.clock.now()) + 3600}
    assert cloud.tokens.verify_id_token(jwt["signedJwt"]) is None


@pytest.mark.parametrize("payload", ['{"exp": 9999999999}', '{"exp": "soon"}'])
def test_signed_claims_hold_for_twelve_hours_at_most(ask: Ask, trusted: str, payload: str) -> None:
    """What an account signs cannot be made to last."""
    refused = _act(ask, trusted, "signJwt", {"payload": payload})

    assert refused.status == 400
    assert "12 hours" in refused.json()["error"]["message"]


@pytest.mark.parametrize("payload", ["not json", "[]"])
def test_jwt_claims_must_be_an_object(ask: Ask, trusted: str, payload: str) -> None:
    """Only a JSON object can be signed as claims."""
    assert _act(ask, trusted, "signJwt", {"payload": payload}).status == 400


def test_disabled_account_cannot_be_acted_as(ask: Ask, trusted: str) -> None:
    """Trust in an account ends with the account."""
    url = f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{trusted}"
    ask("POST", f"{url}:disable", {})

    assert _act(ask, trusted, "generateAccessToken", {"scope": SCOPE}).status == 404


@pytest.fixture
def chain(cloud: Cloud, ask: Ask, account: str) -> list[str]:
    """Ana may act through the first account as the second, and through that as ``account``."""
    made = []
    for name in ("delegate-one", "delegate-two"):
        url = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
        made.append(ask("POST", url, {"accountId": name}).json()["email"])
    members = [f"user:{ANA}", *(f"serviceAccount:{email}" for email in made)]
    for member, email in zip(members, [*made, account], strict=True):
        cloud.grant(
            member,
            "roles/iam.serviceAccountTokenCreator",
            on=f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{email}",
        )
    return made


def _named(emails: list[str]) -> list[str]:
    return [f"projects/-/serviceAccounts/{email}" for email in emails]


def test_a_chain_of_delegates_leads_to_the_account(
    cloud: Cloud, ask: Ask, account: str, chain: list[str]
) -> None:
    """Each link is trusted by the one before, and the last one gets the token."""
    body = {"scope": SCOPE, "delegates": _named(chain)}

    found = _act(ask, account, "generateAccessToken", body)

    headers = {"authorization": f"Bearer {found.json()['accessToken']}"}
    assert cloud.tokens.identify(headers).email == account


@pytest.mark.parametrize("links", [[], [0], [1], [1, 0]])
def test_a_chain_with_a_missing_link_is_refused(
    ask: Ask, account: str, chain: list[str], links: list[int]
) -> None:
    """Nobody gets to an account but by the way that was granted."""
    body = {"scope": SCOPE, "delegates": _named([chain[link] for link in links])}

    refused = _act(ask, account, "generateAccessToken", body)

    assert refused.status == 403
    assert "iam.serviceAccounts." in refused.json()["error"]["message"]


def test_a_delegate_that_is_gone_is_not_found(ask: Ask, account: str, chain: list[str]) -> None:
    """A chain breaks with its accounts."""
    ask("DELETE", f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{chain[0]}")

    body = {"scope": SCOPE, "delegates": _named(chain)}
    assert _act(ask, account, "generateAccessToken", body).status == 404


def test_a_token_is_good_for_its_scopes_only(cloud: Cloud, ask: Ask, trusted: str) -> None:
    """A token for reading buckets opens no other API."""
    cloud.grant(f"serviceAccount:{trusted}", "roles/owner")
    scope = ["https://www.googleapis.com/auth/devstorage.read_only"]
    made = _act(ask, trusted, "generateAccessToken", {"scope": scope}).json()["accessToken"]
    headers = {"authorization": f"Bearer {made}"}

    buckets = "https://storage.googleapis.com/storage/v1/b?project=berth-local"
    topics = "https://pubsub.googleapis.com/v1/projects/berth-local/topics"
    refused = cloud.request("GET", topics, headers=headers)

    assert cloud.request("GET", buckets, headers=headers).status == 200
    assert refused.status == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    reasons = [item["reason"] for item in refused.json()["error"]["details"]]
    assert reasons == ["ACCESS_TOKEN_SCOPE_INSUFFICIENT"]


def test_an_extension_of_the_lifetime_needs_the_organisation(
    cloud: Cloud, ask: Ask, trusted: str
) -> None:
    """More than an hour is for accounts that a policy names, and never more than twelve."""
    asked = {"scope": SCOPE, "lifetime": "7200s"}
    assert _act(ask, trusted, "generateAccessToken", asked).status == 400

    cloud.constraints.set("iam.allowServiceAccountCredentialLifetimeExtension", allowed=[trusted])

    assert _act(ask, trusted, "generateAccessToken", asked).status == 200
    asked["lifetime"] = "43201s"
    assert _act(ask, trusted, "generateAccessToken", asked).status == 400


def test_the_authorized_party_is_the_email_when_asked_for(
    cloud: Cloud, ask: Ask, trusted: str
) -> None:
    """With useEmailAzp the token has the e-mail where the number was."""
    body = {"audience": "https://x", "useEmailAzp": True}
    token = _act(ask, trusted, "generateIdToken", body).json()["token"]

    claims = cloud.tokens.verify_id_token(token)
    assert claims is not None
    assert claims["azp"] == trusted


def test_locations_are_not_restricted(ask: Ask, trusted: str) -> None:
    """Clients that ask for trust boundaries hear that there are none."""
    url = f"{HOST}/v1/projects/-/serviceAccounts/{trusted}/allowedLocations"

    assert ask("GET", url).json() == {"encodedLocations": "0x0"}
    assert (
        ask("GET", url.replace(trusted, "no-one@berth-local.iam.gserviceaccount.com")).status == 404
    )
