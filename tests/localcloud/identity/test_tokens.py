"""What tokens promise, and that Google's own library agrees."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.auth import exceptions
from google.oauth2 import id_token

from localcloud.clock import RealClock, VirtualClock
from localcloud.identity.issuer import Issuer
from localcloud.identity.principals import Principal
from localcloud.identity.tokens import GCLOUD_CLIENT, Tokens
from localcloud.transport import Request as HttpRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANA = "ana@example.com"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys are slow to make; these tests share a pair."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
def tokens(folder: Path, clock: VirtualClock) -> Tokens:
    """A mint on the test's clock."""
    return Tokens(folder, clock)


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_access_token_names_its_owner(tokens: Tokens) -> None:
    """A token leads back to the identity it was made for."""
    assert tokens.identify(_bearer(tokens.access_token(ANA))) == Principal(ANA)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic eDp5"}, {"authorization": ""}])
def test_without_a_bearer_token_nobody_calls(tokens: Tokens, headers: dict[str, str]) -> None:
    """No token is not an error yet: a method may be open to all."""
    assert tokens.identify(headers).anonymous


@pytest.mark.parametrize(
    ("email", "member"),
    [
        (ANA, "user:ana@example.com"),
        ("r@p.iam.gserviceaccount.com", "serviceAccount:r@p.iam.gserviceaccount.com"),
        ("", "allUsers"),
    ],
)
def test_members_are_told_by_their_address(email: str, member: str) -> None:
    """Service accounts have Google's domain, everybody else is a user."""
    assert Principal(email).member == member


def test_tokens_survive_a_restart(folder: Path, tokens: Tokens, clock: VirtualClock) -> None:
    """The keys are in the folder, so a new mint knows old tokens."""
    access, identity = tokens.access_token(ANA), tokens.id_token(ANA, "https://x")

    again = Tokens(folder, clock)

    assert again.identify(_bearer(access)).email == ANA
    assert again.verify_id_token(identity)


def test_tokens_of_another_cloud_are_worth_nothing(
    tmp_path: Path, tokens: Tokens, clock: VirtualClock
) -> None:
    """Two state folders do not trust each other."""
    other = Tokens(tmp_path, clock)

    assert tokens.verify_id_token(other.id_token(ANA, "https://x")) is None


def test_token_of_a_gone_account_is_refused(folder: Path, clock: VirtualClock) -> None:
    """A deleted or disabled account's tokens stop working at once."""
    tokens = Tokens(folder, clock, usable=lambda _: False)

    with pytest.raises(Exception, match="invalid authentication credentials"):
        tokens.identify(_bearer(tokens.access_token(ANA)))


def test_id_token_has_googles_claims(tokens: Tokens) -> None:
    """Everything a verifier looks at is there."""
    claims = tokens.verify_id_token(tokens.id_token(ANA, GCLOUD_CLIENT))

    assert claims is not None
    assert claims["iss"] == "https://accounts.google.com"
    assert (claims["aud"], claims["azp"]) == (GCLOUD_CLIENT, GCLOUD_CLIENT)
    assert (claims["email"], claims["email_verified"]) == (ANA, True)
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize("moved", [-60, 3700])
def test_id_token_out_of_date_is_refused(folder: Path, clock: VirtualClock, moved: float) -> None:
    """A token is good from its minting until its expiry."""
    token = Tokens(folder, clock).id_token(ANA, "https://x")

    assert Tokens(folder, VirtualClock(clock.now() + moved)).verify_id_token(token) is None


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "e30.e30.e30"])
def test_nonsense_is_no_id_token(tokens: Tokens, token: str) -> None:
    """What is not signed by us has no claims."""
    assert tokens.verify_id_token(token) is None


def test_changed_claims_break_the_signature(tokens: Tokens) -> None:
    """Nobody can put another e-mail into a token."""
    head, body, signature = tokens.id_token(ANA, "https://x").split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["email"] = "owner@example.com"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    assert tokens.verify_id_token(f"{head}.{forged}.{signature}") is None


class _Answer:
    def __init__(self, body: bytes) -> None:
        self._body = body

    status = 200
    headers: Mapping[str, str] = {}

    @property
    def data(self) -> bytes:
        """The body."""
        return self._body


class _Wire:
    """Takes Google's library to the issuer without a network."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer

    def __call__(self, url: str, method: str = "GET", **_: Any) -> _Answer:
        """Give the issuer's answer."""
        return _Answer(self._issuer.handle(HttpRequest(method, url)).body)


def test_googles_library_verifies_our_id_tokens(folder: Path) -> None:
    """The issuer publishes what google.oauth2.id_token needs, at Google's addresses."""
    tokens = Tokens(folder, RealClock())
    wire = _Wire(Issuer(tokens))

    verify: Any = id_token.verify_oauth2_token

    claims = verify(tokens.id_token(ANA, "https://x"), wire, "https://x")

    assert claims["email"] == ANA


def test_googles_library_refuses_a_wrong_audience(folder: Path) -> None:
    """A token for one service is not good for another."""
    tokens = Tokens(folder, RealClock())
    wire = _Wire(Issuer(tokens))
    verify: Any = id_token.verify_oauth2_token

    with pytest.raises(exceptions.InvalidValue, match="wrong audience"):
        verify(tokens.id_token(ANA, "https://x"), wire, "https://y")


def test_issuer_tells_who_a_token_is(folder: Path) -> None:
    """Tokeninfo and userinfo answer for good tokens and refuse others."""
    tokens = Tokens(folder, VirtualClock(time.time()))
    issuer = Issuer(tokens)
    url = "https://oauth2.googleapis.com/tokeninfo"

    good = issuer.handle(HttpRequest("GET", f"{url}?access_token={tokens.access_token(ANA)}"))
    signed = issuer.handle(HttpRequest("GET", f"{url}?id_token={tokens.id_token(ANA, 'x')}"))
    bad = issuer.handle(HttpRequest("GET", f"{url}?access_token=x"))
    nobody = issuer.handle(HttpRequest("GET", "https://openidconnect.googleapis.com/v1/userinfo"))
    unknown = issuer.handle(HttpRequest("GET", "https://accounts.google.com/nothing"))

    assert good.json()["email"] == ANA
    assert signed.json()["email_verified"] == "true"
    assert [bad.status, nobody.status, unknown.status] == [400, 401, 404]
