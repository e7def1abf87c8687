"""Google's token endpoint: an access token for a key, a refresh token, or a sign-in's code.

Errors are worded as developers.google.com/identity/protocols/oauth2/service-account has them.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from localcloud.identity import jwt
from localcloud.identity.principals import SCOPES
from localcloud.transport import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.identity.tokens import Tokens

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
LIFETIME = 3600
CODE = "4/l."
"""How the codes begin that the sign-in page gives out."""

_AUDIENCES = frozenset(
    {
        TOKEN_URI,
        "https://www.googleapis.com/oauth2/v4/token",
        "https://accounts.google.com/o/oauth2/token",
    }
)
_OFF_TIME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
_NO_SCOPE = "Invalid OAuth scope or ID token audience provided."


class Grants:
    """Answers ``/token`` and ``/revoke``."""

    def __init__(self, tokens: Tokens) -> None:
        """Mint with ``tokens``."""
        self._tokens = tokens
        self._kinds: dict[str, Callable[[dict[str, str]], Response]] = {
            "urn:ietf:params:oauth:grant-type:jwt-bearer": self._assertion,
            "refresh_token": self._refresh,
            "authorization_code": self._code,
        }

    def token(self, request: Request) -> Response:
        """Exchange what a client has for an access token or an ID token."""
        if request.method != "POST":
            return refusal("invalid_request", "Only POST is allowed.", status=405)
        given = form(request)
        kind = given.get("grant_type", "")
        if not kind:
            return refusal("unsupported_grant_type", "Missing required parameter: grant_type")
        answer = self._kinds.get(kind)
        if answer is None:
            return refusal("unsupported_grant_type", f"Invalid grant_type: {kind}")
        return answer(given)

    def revoke(self, request: Request) -> Response:
        """Make a token worthless."""
        if not self._tokens.revoke(form(request).get("token", "")):
            return refusal("invalid_token", "Token expired or revoked")
        return json_response(200, {})

    def _assertion(self, given: dict[str, str]) -> Response:
        assertion = given.get("assertion", "")
        opened = jwt.unverified(assertion)
        if opened is None:
            return refusal("invalid_grant", "Bad Request")
        email = str(opened[1].get("iss", ""))
        if not self._tokens.accounts.of(email):
            return refusal("invalid_grant", "Invalid grant: account not found")
        claims = self._tokens.accounts.verified(email, assertion)
        if claims is None:
            return refusal("invalid_grant", "Invalid JWT Signature.")
        if not self._tokens.usable(email):
            return refusal("invalid_grant", "Account has been disabled")
        if claims.get("aud") not in _AUDIENCES:
            return refusal("invalid_grant", "Invalid JWT: Failed audience check.")
        if not self._tokens.fresh(claims):
            return refusal("invalid_grant", _OFF_TIME)
        if claims.get("sub", email) != email:
            # nobody here delegates a whole domain to an account
            return refusal(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client "
                "not authorized for any of the scopes requested.",
                status=401,
            )
        if claims.get("target_audience"):
            made = self._tokens.id_token(email, str(claims["target_audience"]))
            return json_response(200, {"id_token": made})
        scopes = str(claims.get("scope", "")).split()
        if not scopes:
            return refusal("invalid_scope", _NO_SCOPE)
        return self._granted(email, scopes)

    def _refresh(self, given: dict[str, str]) -> Response:
        for name in ("client_id", "client_secret"):
            if not given.get(name):
                return refusal("invalid_request", f"Could not determine client ID: no {name}.")
        email = self._tokens.refreshed(given.get("refresh_token", ""))
        if email is None:
            return refusal("invalid_grant", "Token has been expired or revoked.")
        asked = given.get("scope", "").split()
        return self._granted(
            email, asked or list(SCOPES), id_token=self._tokens.id_token(email, given["client_id"])
        )

    def _code(self, given: dict[str, str]) -> Response:
        for name in ("client_id", "client_secret"):
            if not given.get(name):
                return refusal("invalid_request", f"Could not determine client ID: no {name}.")
        claims = self._tokens.redeem(CODE, given.get("code", ""))
        if claims is None or claims["x"] < self._tokens.now() or claims["c"] != given["client_id"]:
            return refusal("invalid_grant", "Malformed auth code.")
        if claims["r"] != given.get("redirect_uri"):
            return refusal("redirect_uri_mismatch", "Bad Request")
        if not proves(claims, given.get("code_verifier", "")):
            return refusal("invalid_grant", "Invalid code verifier.")
        email, domain = str(claims["e"]), str(claims["e"]).rpartition("@")[2]
        more: dict[str, str] = {"hd": domain}
        if "nonce" in claims:
            more["nonce"] = claims["nonce"]
        answer = {
            "id_token": self._tokens.id_token(
                email, given["client_id"], more={"azp": given["client_id"], **more}
            )
        }
        if claims.get("access_type") == "offline":
            answer["refresh_token"] = self._tokens.refresh_token(email)
        return self._granted(email, str(claims["s"]).split(), **answer)

    def _granted(self, email: str, scopes: list[str], **more: str) -> Response:
        token = self._tokens.access_token(email, lifetime=LIFETIME, scopes=scopes)
        body = {"access_token": token, "expires_in": LIFETIME - 1, "token_type": "Bearer"}
        return json_response(200, {**body, "scope": " ".join(scopes), **more})


def proves(claims: Mapping[str, Any], verifier: str) -> bool:
    """Tell whether a client proves that a code is its own (RFC 7636); true where none was asked."""
    wanted = claims.get("code_challenge")
    if wanted is None:
        return True
    if claims.get("code_challenge_method", "plain") == "S256":
        verifier = jwt.encode(hashlib.sha256(verifier.encode()).digest())
    return verifier == str(wanted)


def form(request: Request) -> dict[str, str]:
    """Read parameters from the query and from a form in the body."""
    return {**dict(request.query), **dict(parse_qsl(request.body.decode("latin-1")))}


def refusal(error: str, description: str, *, status: int = 400) -> Response:
    """Refuse in the words of OAuth 2."""
    return json_response(status, {"error": error, "error_description": description})
