"""Stands in for what asks callers who they are: Cloud Run, Identity-Aware Proxy and oauth2-proxy.

The tokens are real, and so is the look at them; what a door does with them can go wrong on request.
The real doors are used by the tests in tests/end_to_end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from localcloud.identity import jwt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloud import Cloud

SIGN_IN = "https://accounts.google.com/o/oauth2/v2/auth"
OF_IAP = {"X-Goog-IAP-Generated-Response": "true"}


@dataclass
class Door:
    """What stands before a server; `faults` names what it does wrong.

    Args:
        cloud: Whose tokens count.
        members: Who may enter, by address.
        behind: The server.
    """

    cloud: Cloud
    members: set[str]
    behind: Callable[[dict[str, Any], Any], Iterable[bytes]]
    faults: set[str] = field(default_factory=set)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Let through, or turn away."""
        request = Request(environ)
        answer = None if "open" in self.faults else self.turned_away(request)
        self.seen.append((request.path, "in" if answer is None else str(answer.status_code)))
        return self.behind(environ, start) if answer is None else answer(environ, start)

    def turned_away(self, request: Request) -> Response | None:
        """Return the answer to those who may not enter."""
        raise AssertionError(f"no door for {request.path}")

    def owner(self, token: str, audience: str) -> str | None:
        """Return whose ID token this is; None if it is good for nothing here."""
        claims = self.cloud.tokens.issued(token)
        if claims is None and "takes forged tokens" in self.faults:
            claims = (jwt.unverified(token) or ({}, {}))[1]
        if not claims or claims.get("aud") != audience:
            return None
        return str(claims["email"])

    def may_enter(self, email: str) -> bool:
        """Say whether somebody is a member."""
        return email in self.members or "lets in every account" in self.faults


class InvokerCheck(Door):
    """Cloud Run's own."""

    def turned_away(self, request: Request) -> Response | None:
        """Ask for an ID token made out for the service."""
        token = bearer(request)
        if token is None:
            if "foreign login" in self.faults:
                return Response("", 302, {"Location": "https://login.stranger.example/"})
            return Response("not authenticated", 404 if "hidden" in self.faults else 403)
        email = self.owner(token, f"https://{request.host}")
        if email is None:
            return Response("token not valid", 401)
        return None if self.may_enter(email) else Response("no permission", 403)


class Iap(Door):
    """Identity-Aware Proxy."""

    def turned_away(self, request: Request) -> Response | None:
        """Ask for claims that an account signed itself, in either header."""
        if "absent" in self.faults:
            return Response("no permission", 403) if bearer(request) is None else None
        token = bearer(request, "Proxy-Authorization") or bearer(request)
        if token is None:
            place = "https://login.stranger.example/" if "foreign login" in self.faults else SIGN_IN
            return Response("", 302, {**OF_IAP, "Location": f"{place}?client_id=x&state=y"})
        email = self.signer(token, f"https://{request.host}/*")
        if email is None:
            return Response("Invalid IAP credentials", 401, OF_IAP)
        if not self.may_enter(email):
            return Response("You don't have access", 403, OF_IAP)
        return None

    def signer(self, token: str, audience: str) -> str | None:
        """Return who signed; None if it is good for nothing here."""
        claimed = (jwt.unverified(token) or ({}, {}))[1]
        email = str(claimed.get("iss"))
        claims = self.cloud.tokens.accounts.verified(email, token)
        if claims is None and "takes forged tokens" in self.faults:
            claims = claimed
        if claims is None or claims["sub"] != email or claims["exp"] - claims["iat"] > 3600:
            return None
        return email if claims["aud"] == audience else None


class OAuth2Proxy(Door):
    """oauth2-proxy, which tells programs 401 and people where to sign in."""

    def turned_away(self, request: Request) -> Response | None:
        """Ask for an ID token made out for the address."""
        if request.path == "/oauth2/start":
            home = "elsewhere.example" if "sends back elsewhere" in self.faults else request.host
            back = f"redirect_uri=https%3A%2F%2F{home}%2Foauth2%2Fcallback"
            twice = f"&{back}" if "sends back twice" in self.faults else ""
            place = f"{SIGN_IN}?{back}{twice}&state=y"
            return Response("", 500 if "no sign-in" in self.faults else 302, {"Location": place})
        email = self.owner(bearer(request) or "", f"https://{request.host}")
        if email is not None and self.may_enter(email):
            return None
        return Response("who are you", 401 if request.path.startswith("/api/") else 403)


def bearer(request: Request, header: str = "Authorization") -> str | None:
    """Return the token somebody comes with."""
    kind, _, token = request.headers.get(header, "").partition(" ")
    return token if kind.lower() == "bearer" else None
