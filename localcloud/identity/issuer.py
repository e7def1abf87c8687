"""Google's identity hosts: published keys, the token endpoint, token checks, who-am-I."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from localcloud.errors import ApiError
from localcloud.iap.assertions import Assertions
from localcloud.identity.grants import TOKEN_URI, Grants, form
from localcloud.identity.principals import SCOPES, bearer, subject, unauthenticated
from localcloud.identity.signin import PATHS as SIGN_IN_PATHS
from localcloud.identity.signin import SignIn
from localcloud.identity.tokens import ISSUER
from localcloud.transport import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.identity.tokens import Tokens

HOSTS = frozenset(
    {
        "accounts.google.com",
        "oauth2.googleapis.com",
        "openidconnect.googleapis.com",
        "www.googleapis.com",
        "www.gstatic.com",
    }
)

_CERTIFICATES = ("/service_accounts/v1/metadata/x509/", "/robot/v1/metadata/x509/")
_JWKS = (
    "/service_accounts/v1/jwk/",
    "/service_accounts/v1/metadata/jwk/",
    "/robot/v1/metadata/jwk/",
)
_OWN_PATHS = ("/oauth2/", *_CERTIFICATES, *_JWKS)
ORGANIZATION = "example.com"
"""The domain of the one organisation, whose people Google's own client for IAP admits."""

_CACHED = {"cache-control": "public, max-age=3600"}


class Issuer:
    """Answers what clients ask Google's identity hosts."""

    def __init__(self, tokens: Tokens) -> None:
        """Publish the keys of ``tokens``."""
        self._tokens = tokens
        grants = Grants(tokens)
        self._table: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("accounts.google.com", "/.well-known/openid-configuration"): self._configuration,
            ("www.googleapis.com", "/oauth2/v1/certs"): self._certificates,
            ("www.googleapis.com", "/oauth2/v3/certs"): self._keys,
            ("www.googleapis.com", "/oauth2/v1/userinfo"): self._user,
            ("www.googleapis.com", "/oauth2/v2/userinfo"): self._user,
            ("www.googleapis.com", "/oauth2/v3/userinfo"): self._user,
            ("openidconnect.googleapis.com", "/v1/userinfo"): self._user,
            ("oauth2.googleapis.com", "/token"): grants.token,
            ("www.googleapis.com", "/oauth2/v4/token"): grants.token,
            ("accounts.google.com", "/o/oauth2/token"): grants.token,
            ("oauth2.googleapis.com", "/revoke"): grants.revoke,
            ("accounts.google.com", "/o/oauth2/revoke"): grants.revoke,
            ("oauth2.googleapis.com", "/tokeninfo"): self._token,
            ("www.googleapis.com", "/oauth2/v1/tokeninfo"): self._token,
            ("www.googleapis.com", "/oauth2/v3/tokeninfo"): self._token,
            ("www.gstatic.com", "/iap/verify/public_key"): self._iap_pems,
            ("www.gstatic.com", "/iap/verify/public_key-jwk"): self._iap_keys,
        }
        sign_in = SignIn(tokens, ORGANIZATION)
        for path in SIGN_IN_PATHS:
            self._table["accounts.google.com", path] = sign_in.page

    def handles(self, host: str, path: str) -> bool:
        """Tell whether a request is for the issuer and not for an API on the same host."""
        return host in HOSTS and (host != "www.googleapis.com" or path.startswith(_OWN_PATHS))

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        answer = self._table.get((request.host, request.path))
        if request.path.startswith((*_CERTIFICATES, *_JWKS)):
            answer = self._account_keys
        if answer is None:
            return json_response(404, {"error": "not_found"})
        try:
            return answer(request)
        except ApiError as error:
            return json_response(error.code, error.render("modern"), error.headers)

    def _account_keys(self, request: Request) -> Response:
        email = unquote(request.path).rpartition("/")[2]
        if not email.endswith(".gserviceaccount.com") or not self._tokens.usable(email):
            return json_response(404, {"error": "not_found"})
        if request.path.startswith(_JWKS):
            return json_response(200, self._tokens.accounts.jwks(email), _CACHED)
        return json_response(200, self._tokens.accounts.certificates(email), _CACHED)

    def _configuration(self, request: Request) -> Response:
        del request
        body = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/o/oauth2/v2/auth",
            "token_endpoint": TOKEN_URI,
            "revocation_endpoint": "https://oauth2.googleapis.com/revoke",
            "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
            "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
            "response_types_supported": ["code", "id_token"],
            "scopes_supported": ["openid", "email", "profile"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return json_response(200, body, _CACHED)

    def _certificates(self, request: Request) -> Response:
        del request
        body = {self._tokens.key_id: self._tokens.certificate.decode()}
        return json_response(200, body, _CACHED)

    def _keys(self, request: Request) -> Response:
        del request
        return json_response(200, self._tokens.jwks(), _CACHED)

    def _iap_pems(self, request: Request) -> Response:
        del request
        return json_response(200, Assertions(self._tokens).pems(), _CACHED)

    def _iap_keys(self, request: Request) -> Response:
        del request
        return json_response(200, Assertions(self._tokens).jwks(), _CACHED)

    def _user(self, request: Request) -> Response:
        caller = self._tokens.identify(request.headers)
        if caller.anonymous:
            raise unauthenticated(missing=True)
        user = {"id": subject(caller.email), "sub": subject(caller.email), "email": caller.email}
        return json_response(200, {**user, "verified_email": True, "email_verified": True})

    def _token(self, request: Request) -> Response:
        given = form(request)
        if "id_token" in given:
            claims = self._tokens.verify_id_token(given["id_token"])
            if claims is None:
                return _invalid_token()
            return json_response(200, {key: _text(value) for key, value in claims.items()})
        token = given.get("access_token") or bearer(request.headers) or ""
        known = self._tokens.claims(token)
        if known is None:
            return _invalid_token()
        found = {
            "azp": subject(known["e"]),
            "aud": subject(known["e"]),
            "sub": subject(known["e"]),
            "scope": " ".join(known.get("s", SCOPES)),
            "exp": str(known["x"]),
            "expires_in": str(self._tokens.lifetime(known)),
            "email": known["e"],
            "email_verified": "true",
            "access_type": "online",
        }
        return json_response(200, found)


def _invalid_token() -> Response:
    body = {"error": "invalid_token", "error_description": "Invalid Value"}
    return json_response(400, body)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
