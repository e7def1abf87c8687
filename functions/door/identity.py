"""Who is calling: a Google ID token, verified here and not by anyone in front.

Cloud Run replaces the signature of a token which it has checked itself. The api therefore runs
without Cloud Run's own check and verifies each token; the workflow's helpers run behind that
check and compare the e-mail of the token that comes through (docs/decisions/0002).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from functions.door import certificates, problems
from schemas.access import member_of

if TYPE_CHECKING:
    from collections.abc import Collection

ISSUERS = ("https://accounts.google.com", "accounts.google.com")
# Clocks of laptops and of Google differ by seconds.
CLOCK_SKEW = 10
_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
_LONGEST_TOKEN = 8192
_REMEDY = (
    "Send `Authorization: Bearer TOKEN`, TOKEN being a Google ID token, "
    "e.g. from `gcloud auth print-identity-token`."
)


@dataclass(frozen=True)
class Caller:
    """A person or a service account that proved its e-mail address."""

    email: str

    @property
    def member(self) -> str:
        """The caller as IAM writes it, ``user:ana@example.com``."""
        return member_of(self.email)

    @property
    def domain(self) -> str:
        """The part of the address behind the @."""
        return self.email.rpartition("@")[2]


def verified(authorization: str | None, audiences: Collection[str]) -> Caller:
    """Return who sent the header, having verified signature, audience and lifetime.

    Raises:
        ProblemError: 401, saying which of them is wrong.
    """
    token = _bearer(authorization)
    claims = _unverified(token)
    if _signature_removed(token):
        _refuse(
            "the signature of the token was removed by Cloud Run, so it proves nothing here",
            remedy=(
                "Cloud Run checked this token itself: either the invoker check of the api must be "
                "off, or send the token for Cloud Run as X-Serverless-Authorization and another "
                "one for Berth as Authorization (docs/decisions/0002)."
            ),
        )
    # Before the library sees it: it fails with a KeyError on a token that has no issuer.
    _compare_issuer(claims)
    _compare_audience(claims, audiences)
    return _caller(_signed(token))


def forwarded(authorization: str | None, audiences: Collection[str]) -> Caller:
    """Return who sent the header to a function that stands behind Cloud Run's invoker check.

    A token without its signature has passed that check: nobody else can take the signature off
    and still get through. A token that has its signature is verified like any other.
    """
    token = _bearer(authorization)
    if _signature_removed(token):
        return _caller(_unverified(token))
    return verified(authorization, audiences)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        _refuse("there is no Authorization header", code="")
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        _refuse("the Authorization header is not of the form `Bearer TOKEN`", code="")
    if len(token) > _LONGEST_TOKEN:
        _refuse(f"the token is longer than {_LONGEST_TOKEN} characters")
    if token.count(".") != 2:  # noqa: PLR2004 - header.claims.signature, by RFC 7515
        kind = "an access token" if token.startswith("ya29.") else "not an ID token"
        _refuse(f"the token is {kind}; an ID token has three parts separated by dots")
    return token


def _part(token: str, index: int) -> dict[str, Any]:
    encoded = token.split(".")[index]
    try:
        raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        value = json.loads(raw)
    # RecursionError: a few kilobytes of brackets are enough to exhaust the parser.
    except (binascii.Error, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _refuse("the token cannot be read: its parts are not base64 of JSON objects")
    return value


def _unverified(token: str) -> dict[str, Any]:
    _part(token, 0)
    return _part(token, 1)


def _signature_removed(token: str) -> bool:
    return token.rsplit(".", 1)[1].startswith(_REMOVED)


def _compare_audience(claims: dict[str, Any], audiences: Collection[str]) -> None:
    """Refuse early, before any key is fetched, and say what would be accepted."""
    found = claims.get("aud")
    if not isinstance(found, str) or found not in audiences:
        _refuse(
            f"the token is for the audience {_shown(found)}",
            remedy="Ask for a token with one of the audiences " + ", ".join(sorted(audiences)),
        )


def _signed(token: str) -> dict[str, Any]:
    """Verify the signature and the lifetime with Google's published certificates."""
    from google.auth import exceptions
    from google.oauth2 import id_token

    try:
        claims: dict[str, Any] = id_token.verify_oauth2_token(  # type: ignore[no-untyped-call]
            token, certificates.request(), clock_skew_in_seconds=CLOCK_SKEW
        )
    except exceptions.TransportError as error:
        raise problems.unavailable(
            "Google's certificates could not be fetched, so no token can be verified",
            cause=str(error),
        ) from error
    except (exceptions.GoogleAuthError, ValueError, TypeError) as error:
        # TypeError: claims of the wrong type ("exp": "soon") reach arithmetic in the library.
        _refuse(_in_our_words(error))
    return claims


def _in_our_words(error: Exception) -> str:
    text = str(error)
    table = {
        "expired": "the token has expired; tokens live one hour",
        "too early": "the token is not valid yet; the clock that issued it is ahead",
        "signature": "the signature of the token is not Google's",
        "Certificate for key id": "the token was not signed with a key of Google's",
    }
    for sign, words in table.items():
        if sign.lower() in text.lower():
            return words
    return "the token cannot be verified: " + text.split("b'", 1)[0][:200].strip()


def _compare_issuer(claims: dict[str, Any]) -> None:
    if claims.get("iss") not in ISSUERS:
        _refuse(f"the token was not issued by {ISSUERS[0]}")


def _caller(claims: dict[str, Any]) -> Caller:
    _compare_issuer(claims)
    email = claims.get("email")
    if not isinstance(email, str) or "@" not in email:
        _refuse(
            "the token names no e-mail address",
            remedy=(
                "Service accounts ask the metadata server with format=full, "
                "or generateIdToken with includeEmail."
            ),
        )
    if claims.get("email_verified") is not True:
        _refuse(f"Google has not verified the e-mail address {_shown(email)}")
    # Addresses compare without case everywhere at Google; policies are compared in lower case.
    return Caller(email=email.lower())


def _shown(value: object) -> str:
    return json.dumps(value)[:120]


def _refuse(detail: str, *, remedy: str = _REMEDY, code: str = "invalid_token") -> NoReturn:
    # RFC 6750: no error code when there was no token at all.
    challenge = 'Bearer realm="berth"' + (f', error="{code}"' if code else "")
    raise problems.unauthenticated(detail, remedy=remedy, challenge=challenge)
