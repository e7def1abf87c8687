"""A stand-in for Google's sign-in page: it asks for an e-mail address and believes it.

OAuth 2's authorization code flow otherwise as developers.google.com/identity/openid-connect has
it: codes are for one client, one redirect URI and one use. Clients are made in a console that is
not here, so any client ID with any secret is taken.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from localcloud.identity.grants import CODE, form
from localcloud.identity.tokens import MANAGED_CLIENT
from localcloud.transport import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.identity.tokens import Tokens
    from localcloud.transport import Request

PATHS = ("/o/oauth2/v2/auth", "/o/oauth2/auth")
_CODE_SECONDS = 600
_REQUIRED = ("client_id", "redirect_uri", "response_type", "scope")
_KEPT = ("nonce", "code_challenge", "code_challenge_method", "access_type")
_CHALLENGES = frozenset({"plain", "S256"})


class SignIn:
    """Answers the authorization endpoint."""

    def __init__(self, tokens: Tokens, organization: str) -> None:
        """Mint codes with ``tokens``; ``organization`` is the domain of the one organisation."""
        self._tokens = tokens
        self._organization = organization

    def page(self, request: Request) -> Response:
        """Show the page, or send the browser back with a code once it said who it is."""
        given = form(request)
        missing = [name for name in _REQUIRED if not given.get(name)]
        if missing:
            return _blocked("invalid_request", f"Missing required parameter: {missing[0]}")
        if urlsplit(given["redirect_uri"]).scheme not in {"http", "https"}:
            return _blocked("redirect_uri_mismatch", "The redirect URI in the request is no URL.")
        if given["response_type"] != "code":
            return _back(given, error="unsupported_response_type")
        if given.get("code_challenge_method", "plain") not in _CHALLENGES:
            return _back(given, error="invalid_request")
        email = given.get("email", "").strip().lower()
        if not email:
            none = given.get("prompt") == "none"
            return _back(given, error="interaction_required") if none else _asking(given)
        return self._signed_in(given, email)

    def _signed_in(self, given: Mapping[str, str], email: str) -> Response:
        name, _, domain = email.partition("@")
        if not name or not domain or " " in email or email.endswith(".gserviceaccount.com"):
            return _asking(given, "Couldn't find your Google Account")
        if given.get("hd", domain) not in {domain, "*"}:
            return _asking(given, f"Sign in with an account of {given['hd']}")
        if given["client_id"] == MANAGED_CLIENT and domain != self._organization:
            return _blocked(
                "org_internal", "This client is restricted to users within its organization."
            )
        claims: dict[str, Any] = {name: given[name] for name in _KEPT if name in given}
        claims |= {
            "e": email,
            "c": given["client_id"],
            "r": given["redirect_uri"],
            "s": given["scope"],
            "x": int(self._tokens.now()) + _CODE_SECONDS,
        }
        code = self._tokens.minted(CODE, claims)
        return _back(given, code=code, scope=given["scope"], authuser="0", prompt="consent")


def _back(given: Mapping[str, str], **answer: str) -> Response:
    if "state" in given:
        answer = {"state": given["state"], **answer}
    where = given["redirect_uri"]
    joint = "&" if urlsplit(where).query else "?"
    return Response(302, {"location": f"{where}{joint}{urlencode(answer)}"})


def _asking(given: Mapping[str, str], remark: str = "") -> Response:
    hidden = "".join(
        f'<input type=hidden name="{html.escape(name)}" value="{html.escape(value)}">\n'
        for name, value in given.items()
        if name != "email"
    )
    hint = html.escape(given.get("login_hint", ""))
    body = (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        "<title>Sign in - Google Accounts</title></head><body>\n<h1>Sign in</h1>\n"
        "<p>This is the local cloud's stand-in: it takes any e-mail address.</p>\n"
        f"<p>{html.escape(remark)}</p>\n<form method=post>\n{hidden}"
        f'<label>Email <input type=email name=email value="{hint}" autofocus required></label>\n'
        "<button>Next</button></form></body></html>\n"
    )
    return Response(200, {"content-type": "text/html; charset=utf-8"}, body.encode())


def _blocked(error: str, why: str) -> Response:
    body = (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        f"<title>Error {error}</title></head><body>\n<h1>Access blocked</h1>\n"
        f"<p>{html.escape(why)}</p>\n<p>Error: {error}</p></body></html>\n"
    )
    status = 403 if error == "org_internal" else 400
    return Response(status, {"content-type": "text/html; charset=utf-8"}, body.encode())
