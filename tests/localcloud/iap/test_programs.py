"""Programs get through IAP with the right token, and hear in IAP's words what is wrong with theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.auth.transport import Request
from google.oauth2 import id_token

from localcloud.identity.tokens import GCLOUD_CLIENT
from tests.localcloud.iap.guarded import (
    AGENT,
    CLIENT,
    HOST,
    MEMBER,
    TRAINER,
    URL,
    admit,
    ask,
    put_up,
    settle,
    signed,
)
from tests.localcloud.run.echo import PARENT

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.run.echo import Caller

AUDIENCE = "/projects/123456789012/locations/europe-west1/services/hello"
BROUGHT = {"accessSettings": {"oauthSettings": {"clientId": CLIENT, "clientSecret": "s3cret"}}}


def heard(answer: Any) -> str:
    """Return what IAP says is wrong with the credentials."""
    assert answer.status == 401, answer.text
    assert answer.headers["x-goog-iap-generated-response"] == "true"
    return str(answer.text.removeprefix("Invalid IAP credentials: "))


def seen(answer: Any) -> dict[str, str]:
    """Return the headers the program behind saw."""
    assert answer.status == 200, answer.text
    found: dict[str, str] = answer.json()["headers"]
    return found


@pytest.mark.parametrize("audience", [f"{URL}/*", f"{URL}/a/*", f"{URL}/a/b"])
def test_an_account_signs_its_own_token(cloud: Cloud, audience: str) -> None:
    """It is good for the URL it names, or with a star for all below."""
    headers = seen(ask(cloud, signed(cloud, audience), path="/a/b?c=d"))

    assert headers["x-goog-authenticated-user-email"] == f"accounts.google.com:{TRAINER}"


@pytest.mark.parametrize(
    "audience", [URL, f"{URL}/b/*", "https://other.example.com/*", CLIENT, "*", f"{URL}/a/bc/*"]
)
def test_a_token_for_another_url_is_refused(cloud: Cloud, audience: str) -> None:
    """What does not cover the request is no audience."""
    assert heard(ask(cloud, signed(cloud, audience), path="/a/b")) == (
        "Invalid bearer token. Invalid JWT audience."
    )


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"sub": "other@berth-local.iam.gserviceaccount.com"}, "Invalid JWT subject"),
        ({"exp": 9999999999}, "lifetime is more than one hour"),
        ({"iat": 1, "exp": 2}, "JWT is expired"),
        ({"iat": 9999999000, "exp": 9999999999}, "issued in the future"),
        ({"exp": None}, "no iat and exp"),
    ],
)
def test_claims_of_ones_own_must_fit(cloud: Cloud, claims: dict[str, Any], words: str) -> None:
    """An account cannot speak for another, nor for longer than an hour."""
    assert words in heard(ask(cloud, signed(cloud, f"{URL}/*", **claims)))


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "ya29.l.e30.x"])
def test_nonsense_is_no_token(cloud: Cloud, token: str) -> None:
    """What is no JWT cannot be parsed."""
    assert heard(ask(cloud, token)) == "Unable to parse JWT"


def test_a_forged_signature_is_seen(cloud: Cloud) -> None:
    """Both kinds of tokens are really verified."""
    for good in (signed(cloud, f"{URL}/*"), cloud.tokens.id_token(MEMBER, CLIENT)):
        forged = good.rpartition(".")[0] + ".AAAA"

        assert heard(ask(cloud, forged)) == "JWT signature is invalid"


@pytest.mark.parametrize("audience", [URL, CLIENT, GCLOUD_CLIENT, AUDIENCE])
def test_an_id_token_is_no_good_with_googles_own_client(cloud: Cloud, audience: str) -> None:
    """With the Google-managed client every audience is refused until it is allowed."""
    token = cloud.tokens.id_token(MEMBER, audience)

    assert heard(ask(cloud, token)) == "Invalid bearer token. Invalid JWT audience."


def test_a_client_allowed_for_programs_is_an_audience(cloud: Cloud, owner: Caller) -> None:
    """ProgrammaticClients opens the door to ID tokens."""
    settle(owner, {"accessSettings": {"oauthSettings": {"programmaticClients": [CLIENT]}}})

    assert seen(ask(cloud, cloud.tokens.id_token(MEMBER, CLIENT)))


def test_a_client_of_ones_own_is_the_audience(cloud: Cloud, owner: Caller) -> None:
    """With a brought client its id is the audience, and the refusal names both."""
    assert settle(owner, BROUGHT).status == 200

    words = heard(ask(cloud, cloud.tokens.id_token(MEMBER, "other")))

    assert seen(ask(cloud, cloud.tokens.id_token(MEMBER, CLIENT)))
    assert words == (
        "JWT audience doesn't match this application ('aud' claim (other) doesn't match expected "
        f"value ({CLIENT}))"
    )


def test_an_expired_token_says_so(cloud: Cloud, owner: Caller, clock: VirtualClock) -> None:
    """After an hour a training needs a new token."""
    settle(owner, BROUGHT)
    tokens = [cloud.tokens.id_token(MEMBER, CLIENT), signed(cloud, f"{URL}/*")]
    clock.advance(3700)

    assert [heard(ask(cloud, token)) for token in tokens] == ["JWT is expired"] * 2


def test_an_id_token_without_email_is_nobodys(cloud: Cloud, owner: Caller) -> None:
    """IncludeEmail was forgotten."""
    settle(owner, BROUGHT)
    token = cloud.tokens.id_token(TRAINER, CLIENT, more={"email": None})

    assert "no email" in heard(ask(cloud, token))


def test_a_strangers_good_token_is_not_enough(cloud: Cloud) -> None:
    """403 with IAP's page: known, and not on the list; being the owner does not help."""
    stranger = "stranger@berth-local.iam.gserviceaccount.com"
    name = f"projects/berth-local/serviceAccounts/{stranger}"
    cloud.store.of("iam").put(name, {"name": name, "email": stranger, "uniqueId": "2"})
    cloud.grant(f"serviceAccount:{stranger}", "roles/owner")

    answer = ask(cloud, signed(cloud, f"{URL}/*", email=stranger))

    assert answer.status == 403
    assert "You don't have access" in answer.text


def test_a_disabled_account_is_refused(cloud: Cloud) -> None:
    """Its key still signs, and nobody listens."""
    token = signed(cloud, f"{URL}/*")
    name = f"projects/berth-local/serviceAccounts/{TRAINER}"
    cloud.store.of("iam").update(name, lambda one: one | {"disabled": True})

    assert ask(cloud, token).status == 401


def test_proxy_authorization_leaves_authorization_alone(cloud: Cloud) -> None:
    """A server with logins of its own gets its header, and not IAP's token."""
    token = signed(cloud, f"{URL}/*")

    headers = seen(ask(cloud, proxy_authorization=f"Bearer {token}", authorization="Basic eDp5"))

    assert headers["authorization"] == "Basic eDp5"
    assert "proxy-authorization" not in headers


def test_a_bad_proxy_authorization_falls_back(cloud: Cloud) -> None:
    """IAP goes on to Authorization, and without one says what is wrong."""
    good = signed(cloud, f"{URL}/*")

    assert seen(ask(cloud, good, proxy_authorization="Bearer nonsense"))
    assert heard(ask(cloud, proxy_authorization="Bearer nonsense")) == "Unable to parse JWT"


def test_forged_headers_are_replaced(cloud: Cloud) -> None:
    """What IAP says about a caller comes from IAP."""
    headers = seen(
        ask(
            cloud,
            signed(cloud, f"{URL}/*"),
            x_goog_authenticated_user_email="accounts.google.com:boss@example.com",
            X_Goog_Authenticated_User_ID="1",
            x_goog_iap_jwt_assertion="a.b.c",
            x_serverless_authorization="Bearer x",
        )
    )

    assert headers["x-goog-authenticated-user-email"].endswith(TRAINER)
    assert headers["x-goog-authenticated-user-id"] != "1"
    assert headers["x-goog-iap-jwt-assertion"].count(".") == 2
    assert headers["x-goog-iap-jwt-assertion"] != "a.b.c"
    assert "x-serverless-authorization" not in headers


def test_an_underscore_is_no_way_round(cloud: Cloud) -> None:
    """Programs would take it for a hyphen."""
    token = signed(cloud, f"{URL}/*")
    sent = {"authorization": f"Bearer {token}", "x_goog_authenticated_user_email": "boss"}

    headers = seen(cloud.request("GET", URL, headers=sent))

    assert headers["x-goog-authenticated-user-email"].endswith(TRAINER)


def test_cookies_of_the_program_stay(cloud: Cloud) -> None:
    """Only IAP's own are taken out."""
    headers = seen(
        ask(cloud, signed(cloud, f"{URL}/*"), cookie="a=1; GCP_IAAP_AUTH_TOKEN_1=x; b=2")
    )

    assert headers["cookie"] == "a=1; b=2"


class _Fetch(Request):
    """What Google's library fetches keys with, straight from the cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, url: Any, method: Any = "GET", *_: Any, **__: Any) -> Any:
        answer = self._cloud.request(method, url)
        made: Any = type("Answer", (), {})()
        made.status, made.data, made.headers = answer.status, answer.body, answer.headers
        return made


def test_the_assertion_is_verified_by_googles_own_library(cloud: Cloud) -> None:
    """The keys at gstatic are those it was signed with, and it is made out to this service."""
    made = seen(ask(cloud, signed(cloud, f"{URL}/*")))["x-goog-iap-jwt-assertion"]
    keys = "https://www.gstatic.com/iap/verify/public_key"

    claims = id_token.verify_token(
        made,
        _Fetch(cloud),
        audience=AUDIENCE,
        certs_url=keys,
        clock_skew_in_seconds=10**9,
    )
    jwk = cloud.request("GET", f"{keys}-jwk").json()["keys"][0]

    assert (claims["iss"], claims["email"]) == ("https://cloud.google.com/iap", TRAINER)
    assert claims["exp"] - claims["iat"] == 600
    assert (jwk["alg"], jwk["crv"]) == ("ES256", "P-256")
    with pytest.raises(ValueError, match="audience"):
        id_token.verify_token(
            made,
            _Fetch(cloud),
            audience="/projects/1",
            certs_url=keys,
            clock_skew_in_seconds=10**9,
        )


def test_iaps_own_account_must_be_made(bare: Cloud, owner: Caller) -> None:
    """Enabling the API alone does not provision it, and members see that."""
    admit(owner, f"serviceAccount:{TRAINER}")

    answer = ask(bare, signed(bare, f"{URL}/*"))

    assert answer.status == 500
    assert "The IAP service account is not provisioned" in answer.text


def test_iaps_own_account_must_be_an_invoker(cloud: Cloud) -> None:
    """Without run.invoker Cloud Run refuses those whom IAP admits."""
    full = f"//run.googleapis.com/{PARENT}/services/hello"
    cloud.iam.set_policy(full, {"bindings": []})

    answer = ask(cloud, signed(cloud, f"{URL}/*"))

    assert answer.status == 403
    assert "Your client does not have permission to get URL" in answer.text


def test_a_right_to_invoke_is_no_way_round(cloud: Cloud) -> None:
    """Behind IAP the caller's own invoker right counts for nothing."""
    cloud.grant("user:eve@example.com", "roles/run.invoker")

    assert ask(cloud, cloud.tokens.id_token("eve@example.com", URL)).status == 401
    assert AGENT not in ask(cloud).text


def test_a_policy_of_the_project_counts_everywhere(
    cloud: Cloud, owner: Caller, clock: VirtualClock
) -> None:
    """What is set on iap_web, or on the project, is inherited by every service."""
    put_up(owner, "second", invokerIamDisabled=True)
    clock.run_until_idle()
    host = HOST.replace("hello", "second")
    cloud.ingress.mount(host, lambda _, start: (start("200 OK", []), [b"in"])[1])
    token = signed(cloud, f"https://{host}/*")

    def status() -> int:
        sent = {"authorization": f"Bearer {token}"}
        return cloud.request("GET", f"https://{host}/", headers=sent).status

    before = status()
    admit(owner, f"serviceAccount:{TRAINER}", resource="projects/123456789012/iap_web")

    assert (before, status()) == (403, 200)
