"""Service accounts have keys of their own: made, used, replaced, disabled, deleted, forbidden."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.identity import jwt

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.transport import Response
    from tests.localcloud.conftest import Ask

ACCOUNTS = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
TOKEN = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture
def file(ask: Ask, account: str) -> dict[str, Any]:
    """A key file of the account."""
    made = ask("POST", f"{ACCOUNTS}/{account}/keys", {}).json()
    found: dict[str, Any] = json.loads(base64.b64decode(made["privateKeyData"]))
    return found


def _signed(file: dict[str, Any], **claims: Any) -> str:
    key = serialization.load_pem_private_key(file["private_key"].encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return jwt.signed(claims, key, file["private_key_id"])


def _assertion(cloud: Cloud, file: dict[str, Any], **changed: Any) -> str:
    now = int(cloud.clock.now())
    claims = {
        "iss": file["client_email"],
        "aud": TOKEN,
        "scope": SCOPE,
        "iat": now,
        "exp": now + 3600,
        **changed,
    }
    return _signed(file, **{name: value for name, value in claims.items() if value is not None})


def _exchange(cloud: Cloud, assertion: str, grant: str = GRANT) -> Response:
    body = f"grant_type={grant}&assertion={assertion}".encode()
    return cloud.request("POST", TOKEN, body=body)


def _whoami(cloud: Cloud, token: str) -> int:
    url = "https://pubsub.googleapis.com/v1/projects/berth-local/topics"
    return cloud.request("GET", url, headers={"authorization": f"Bearer {token}"}).status


def test_a_key_file_is_what_googles_libraries_read(file: dict[str, Any], account: str) -> None:
    """It names the account, the key and Google's own token endpoint."""
    assert file["type"] == "service_account"
    assert file["client_email"] == account
    assert file["token_uri"] == TOKEN


def test_a_key_is_exchanged_for_an_access_token(
    cloud: Cloud, file: dict[str, Any], account: str
) -> None:
    """The token acts as the account."""
    found = _exchange(cloud, _assertion(cloud, file)).json()

    headers = {"authorization": f"Bearer {found['access_token']}"}
    assert cloud.tokens.identify(headers).email == account
    assert (found["token_type"], found["expires_in"]) == ("Bearer", 3599)


def test_a_key_is_exchanged_for_an_id_token(
    cloud: Cloud, file: dict[str, Any], account: str
) -> None:
    """With a target audience the answer is an ID token for it."""
    asked = _assertion(cloud, file, scope=None, target_audience="https://x.run.app")

    claims = cloud.tokens.verify_id_token(_exchange(cloud, asked).json()["id_token"])

    assert claims is not None
    assert (claims["aud"], claims["email"]) == ("https://x.run.app", account)


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"scope": None}, "invalid_scope", "Invalid OAuth scope"),
        ({"aud": "https://else.where"}, "invalid_grant", "audience"),
        ({"iat": 0, "exp": 3600}, "invalid_grant", "short-lived token"),
        ({"exp": 9_999_999_999}, "invalid_grant", "short-lived token"),
        ({"iat": None}, "invalid_grant", "short-lived token"),
        ({"iss": "no-one@berth-local.iam.gserviceaccount.com"}, "invalid_grant", "not found"),
        ({"sub": "ana@example.com"}, "unauthorized_client", "unauthorized"),
    ],
)
def test_a_wrong_assertion_is_refused(
    cloud: Cloud, file: dict[str, Any], changed: dict[str, Any], error: str, words: str
) -> None:
    """The claims are read as Google reads them."""
    refused = _exchange(cloud, _assertion(cloud, file, **changed))

    assert refused.status in {400, 401}
    assert refused.json()["error"] == error
    assert words in refused.json()["error_description"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "unsupported_grant_type"),
        (b"grant_type=password", "unsupported_grant_type"),
        (b"grant_type=refresh_token", "invalid_request"),
        (b"grant_type=refresh_token&client_id=a&client_secret=b", "invalid_grant"),
        (b"grant_type=" + GRANT.encode(), "invalid_grant"),
        (b"grant_type=" + GRANT.encode() + b"&assertion=a.b.c", "invalid_grant"),
        (b"\xff\xfe", "unsupported_grant_type"),
    ],
)
def test_a_wrong_request_for_a_token_is_refused(cloud: Cloud, body: bytes, error: str) -> None:
    """The endpoint says what is wrong in the words of OAuth."""
    refused = cloud.request("POST", TOKEN, body=body)

    assert (refused.status, refused.json()["error"]) == (400, error)


def test_a_stranger_key_is_no_key_of_the_account(cloud: Cloud, file: dict[str, Any]) -> None:
    """Neither an unknown key id nor a signature by another key is taken."""
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = other.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()

    forged = _exchange(cloud, _assertion(cloud, {**file, "private_key": pem}))
    unknown = _exchange(cloud, _assertion(cloud, {**file, "private_key_id": "0" * 40}))

    assert forged.json()["error_description"] == "Invalid JWT Signature."
    assert unknown.json()["error_description"] == "Invalid JWT Signature."


@pytest.mark.parametrize("verb", ["disable", "delete"])
def test_a_key_that_is_gone_signs_nothing(
    cloud: Cloud, ask: Ask, account: str, file: dict[str, Any], verb: str
) -> None:
    """Disabling and deleting a key work at once; enabling brings it back."""
    url = f"{ACCOUNTS}/{account}/keys/{file['private_key_id']}"
    if verb == "delete":
        ask("DELETE", url)
    else:
        ask("POST", f"{url}:disable", {})

    assert _exchange(cloud, _assertion(cloud, file)).status == 400
    if verb == "disable":
        assert ask("GET", url).json()["disabled"] is True
        ask("POST", f"{url}:enable", {})
        assert _exchange(cloud, _assertion(cloud, file)).status == 200


def test_a_new_account_of_the_name_does_not_inherit_keys(
    cloud: Cloud, ask: Ask, account: str, file: dict[str, Any]
) -> None:
    """Keys belong to the account, not to its address."""
    ask("DELETE", f"{ACCOUNTS}/{account}")
    ask("POST", ACCOUNTS, {"accountId": "robot-one"})

    assert _exchange(cloud, _assertion(cloud, file)).status == 400
    assert ask("GET", f"{ACCOUNTS}/{account}/keys").json() == {}


def test_a_disabled_account_gets_no_token(
    cloud: Cloud, ask: Ask, account: str, file: dict[str, Any]
) -> None:
    """The key is good, the account is not."""
    ask("POST", f"{ACCOUNTS}/{account}:disable", {})

    assert _exchange(cloud, _assertion(cloud, file)).json()["error"] == "invalid_grant"


def test_apis_take_a_token_the_account_signed_itself(
    cloud: Cloud, file: dict[str, Any], account: str
) -> None:
    """Clients of gRPC with a key file never ask the token endpoint."""
    cloud.grant(f"serviceAccount:{account}", "roles/owner")
    now = int(cloud.clock.now())
    claims = {"iss": account, "sub": account, "iat": now, "exp": now + 3600}

    assert _whoami(cloud, _signed(file, aud="https://pubsub.googleapis.com/", **claims)) == 200
    assert _whoami(cloud, _signed(file, scope=SCOPE, **claims)) == 200
    for wrong in (
        {"aud": "https://run.googleapis.com/"},
        {},
        {"aud": "https://pubsub.googleapis.com/", "sub": "ana@example.com"},
        {"aud": "https://pubsub.googleapis.com/", "exp": now + 7200},
        {"aud": "https://pubsub.googleapis.com/", "exp": now - 60},
    ):
        assert _whoami(cloud, _signed(file, **{**claims, **wrong})) == 401


def test_ten_keys_are_the_most(ask: Ask, account: str) -> None:
    """The eleventh is refused; Google's own key does not count."""
    small = {"keyAlgorithm": "KEY_ALG_RSA_1024"}
    for _ in range(10):
        assert ask("POST", f"{ACCOUNTS}/{account}/keys", small).status == 200

    refused = ask("POST", f"{ACCOUNTS}/{account}/keys", small)

    assert (refused.status, refused.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_keys_are_listed_by_kind(
    cloud: Cloud, ask: Ask, account: str, file: dict[str, Any]
) -> None:
    """Google's own key is among them, can be asked for, and cannot be deleted."""
    cloud.tokens.accounts.sign(account, b"x")
    url = f"{ACCOUNTS}/{account}/keys"

    own = ask("GET", f"{url}?keyTypes=USER_MANAGED").json()["keys"]
    googles = ask("GET", f"{url}?keyTypes=SYSTEM_MANAGED").json()["keys"]

    assert [key["name"].rpartition("/")[2] for key in own] == [file["private_key_id"]]
    assert len(googles) == 1
    assert len(ask("GET", url).json()["keys"]) == 2
    assert ask("DELETE", f"iam.googleapis.com/v1/{googles[0]['name']}").status == 400


def test_public_keys_are_published(cloud: Cloud, account: str, file: dict[str, Any]) -> None:
    """Both forms show every working key of the account, and nobody else's."""
    pages = "https://www.googleapis.com"
    certificates = cloud.request("GET", f"{pages}/robot/v1/metadata/x509/{account}").json()
    jwks = cloud.request("GET", f"{pages}/service_accounts/v1/jwk/{account}").json()

    assert file["private_key_id"] in certificates
    assert {key["kid"] for key in jwks["keys"]} == set(certificates)
    x509.load_pem_x509_certificate(certificates[file["private_key_id"]].encode())
    assert cloud.request("GET", f"{pages}/robot/v1/metadata/x509/ana@example.com").status == 404
    gone = account.replace("robot-one", "robot-two")
    assert cloud.request("GET", f"{pages}/robot/v1/metadata/x509/{gone}").status == 404


def test_googles_own_key_is_replaced_in_time(
    cloud: Cloud, clock: VirtualClock, account: str
) -> None:
    """An account signs with a new key after a while; the old one stays published a while longer."""
    first, _ = cloud.tokens.accounts.sign(account, b"x")
    clock.advance(8 * 86400)
    second, _ = cloud.tokens.accounts.sign(account, b"x")

    assert first != second
    assert {first, second} <= set(cloud.tokens.accounts.certificates(account))
    clock.advance(9 * 86400)
    assert first not in cloud.tokens.accounts.certificates(account)


@pytest.mark.parametrize("data", ["", "aGk=", base64.b64encode(b"-----BEGIN").decode()])
def test_only_a_certificate_can_be_uploaded(ask: Ask, account: str, data: str) -> None:
    """Anything else is 400."""
    body = {"publicKeyData": data}

    assert ask("POST", f"{ACCOUNTS}/{account}/keys:upload", body).status == 400


def test_an_uploaded_key_signs(cloud: Cloud, ask: Ask, account: str, file: dict[str, Any]) -> None:
    """Who holds the private half of an uploaded certificate gets tokens."""
    certificate = cloud.tokens.accounts.certificates(account)[file["private_key_id"]]
    ask("DELETE", f"{ACCOUNTS}/{account}/keys/{file['private_key_id']}")
    body = {"publicKeyData": base64.b64encode(certificate.encode()).decode()}

    made = ask("POST", f"{ACCOUNTS}/{account}/keys:upload", body).json()

    assert made["keyOrigin"] == "USER_PROVIDED"
    known = {**file, "private_key_id": made["name"].rpartition("/")[2]}
    assert _exchange(cloud, _assertion(cloud, known)).status == 200


def test_keys_need_their_own_permission(ask: Ask, cloud: Cloud, account: str) -> None:
    """Who may act as an account may not make keys of it."""
    cloud.grant("user:ana@example.com", "roles/iam.serviceAccountAdmin")

    refused = ask("POST", f"{ACCOUNTS}/{account}/keys", {}, who="ana@example.com")

    assert refused.status == 403
    assert "iam.serviceAccountKeys.create" in refused.json()["error"]["message"]


def test_refresh_tokens_are_good_until_revoked(cloud: Cloud) -> None:
    """What an authorized_user file holds can be exchanged again and again, until it is revoked."""
    refresh = cloud.tokens.refresh_token("ana@example.com")
    body = f"grant_type=refresh_token&client_id=a&client_secret=b&refresh_token={refresh}".encode()

    found = cloud.request("POST", TOKEN, body=body).json()
    headers = {"authorization": f"Bearer {found['access_token']}"}
    assert cloud.tokens.identify(headers).email == "ana@example.com"

    revoke = f"https://oauth2.googleapis.com/revoke?token={refresh}"
    assert cloud.request("POST", revoke).status == 200
    assert cloud.request("POST", TOKEN, body=body).json()["error"] == "invalid_grant"
    assert cloud.request("POST", revoke).status == 400


def test_a_revoked_access_token_is_worthless(cloud: Cloud) -> None:
    """Revocation works at once, and for this token only."""
    first, second = (cloud.tokens.access_token("owner@example.com") for _ in range(2))

    cloud.request("POST", "https://oauth2.googleapis.com/revoke", body=f"token={first}".encode())

    assert _whoami(cloud, first) == 401
    assert _whoami(cloud, second) == 200


def test_tokeninfo_tells_scopes_and_time_left(cloud: Cloud, clock: VirtualClock) -> None:
    """The rest of a token's life is told by the cloud's clock, and a dead one is refused."""
    token = cloud.tokens.access_token("ana@example.com", lifetime=600, scopes=["openid"])
    url = f"https://oauth2.googleapis.com/tokeninfo?access_token={token}"
    clock.advance(100)

    found = cloud.request("GET", url).json()
    assert (found["scope"], found["expires_in"]) == ("openid", "500")
    clock.advance(600)
    assert cloud.request("GET", url).status == 400
