"""How a browser gets in: sent to Google's sign-in page, back with a ticket, given a cookie.

The stations are Google's: ``accounts.google.com`` asks who it is, ``iap.googleapis.com`` takes the
code, the application's own host sets the cookie. What they hand on is sealed, and ours.
"""

from __future__ import annotations

import hashlib
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from localcloud.iap.guarded import Refusal
from localcloud.iap.pages import GENERATED, invalid
from localcloud.identity.tokens import MANAGED_CLIENT

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.iap.guarded import Asked

AUTHENTICATE = "/_gcp_gatekeeper/authenticate"
CLEAR = "gcp-iap-mode=CLEAR_LOGIN_COOKIE"
HANDLE_REDIRECT = "https://iap.googleapis.com/v1/oauth/clientIds/{}:handleRedirect"
"""The redirect URI that a client of one's own must know."""

_SESSION, _STATE, _TICKET = "iap.session.", "iap.state.", "iap.ticket."
_SESSION_SECONDS, _SIGN_IN_SECONDS, _TICKET_SECONDS = 3600, 1800, 60
_NONCE = "GCP_IAP_XSRF_NONCE_"


def cookie_name(host: str) -> str:
    """Return the name of a host's session cookie."""
    return f"GCP_IAAP_AUTH_TOKEN_{hashlib.sha256(host.encode()).hexdigest()[:16].upper()}"


def cookie(cloud: Cloud, host: str, email: str) -> str:
    """Return ``name=value`` of the cookie that keeps somebody signed in to a host."""
    claims = {"e": email, "h": host, "x": int(cloud.clock.now()) + _SESSION_SECONDS}
    return f"{cookie_name(host)}={cloud.tokens.minted(_SESSION, claims)}"


def signed_in(cloud: Cloud, asked: Asked) -> str | None:
    """Give who a request's cookie says it is; None without a good one."""
    claims = _open(cloud, _SESSION, _cookies(asked).get(cookie_name(asked.host), ""))
    if claims is None or claims["h"] != asked.host or not cloud.account_usable(claims["e"]):
        return None
    return str(claims["e"])


def begin(cloud: Cloud, asked: Asked, *, client: str, hint: str = "") -> Refusal:
    """Send a browser to the sign-in page; programs read why."""
    why = invalid("empty token")
    accepts = asked.headers.get("accept", "*/*")
    if asked.method not in {"GET", "HEAD"} or not ("*/*" in accepts or "text/html" in accepts):
        # cloud.google.com/iap/docs/faq: only who can follow a redirect gets one
        return Refusal(401, why, {**GENERATED, "content-type": "text/html"}, "empty token")
    nonce = secrets.token_urlsafe(9)
    state = {
        "h": asked.host,
        "t": asked.target,
        "b": nonce,
        "x": int(cloud.clock.now()) + _SIGN_IN_SECONDS,
    }
    own = client or MANAGED_CLIENT
    query = {
        "client_id": own,
        "response_type": "code",
        "scope": "openid email",
        "redirect_uri": HANDLE_REDIRECT.format(own),
        "state": cloud.tokens.minted(_STATE, state),
    }
    if hint:
        query["hd"] = hint
    return Refusal(
        302,
        why,
        {
            **GENERATED,
            "content-type": "text/html",
            "location": f"https://accounts.google.com/o/oauth2/v2/auth?{urlencode(query)}",
            "set-cookie": f"{_NONCE}{nonce}=1; Max-Age={_SIGN_IN_SECONDS}; Path=/; Secure; "
            "HttpOnly; SameSite=None",
        },
        "empty token",
    )


def handed_over(cloud: Cloud, state: str, email: str) -> str | None:
    """Give where a browser goes with what the sign-in page told; None for a state of nobody."""
    known = _open(cloud, _STATE, state)
    if known is None:
        return None
    claims = {
        "e": email,
        "h": known["h"],
        "s": state,
        "x": int(cloud.clock.now()) + _TICKET_SECONDS,
    }
    ticket = cloud.tokens.minted(_TICKET, claims)
    return f"https://{known['h']}{AUTHENTICATE}?{urlencode({'ticket': ticket})}"


def complete(cloud: Cloud, asked: Asked, domain: str = "") -> Refusal:
    """Set the cookie and send the browser to what it wanted; only the browser that set out."""
    given = parse_qs(asked.target.partition("?")[2]).get("ticket", [""])[0]
    ticket = _open(cloud, _TICKET, given)
    state = _open(cloud, _STATE, ticket["s"]) if ticket is not None else None
    if ticket is None or state is None or ticket["h"] != asked.host:
        return Refusal(401, invalid("Unable to parse JWT"), GENERATED, "a ticket of nobody")
    nonce = _NONCE + state["b"]
    if nonce not in _cookies(asked) or cloud.tokens.redeem(_TICKET, given) is None:
        return Refusal(401, invalid("empty token"), GENERATED, "another browser's ticket")
    where = f"; Domain={domain}" if domain else ""
    made = cookie(cloud, asked.host, str(ticket["e"]))
    headers = {
        **GENERATED,
        "location": f"https://{asked.host}{state['t']}",
        "set-cookie": f"{made}; Path=/; Secure; HttpOnly; SameSite=None{where}",
    }
    return Refusal(302, b"", headers)


def cleared(asked: Asked) -> Refusal:
    """Sign a browser out of one application (cloud.google.com/iap/docs/sessions-howto)."""
    gone = f"{cookie_name(asked.host)}=; Max-Age=0; Path=/; Secure; HttpOnly"
    return Refusal(302, b"", {**GENERATED, "location": "/", "set-cookie": gone})


def without_own(asked: Asked) -> str | None:
    """Give a request's cookies without IAP's own, which the application need not have."""
    kept = [
        part.strip()
        for part in asked.headers.get("cookie", "").split(";")
        if part.strip() and not part.strip().startswith(("GCP_IAAP_", "GCP_IAP_"))
    ]
    return "; ".join(kept) or None


def _open(cloud: Cloud, kind: str, text: str) -> dict[str, Any] | None:
    claims = cloud.tokens.opened(kind, text)
    return None if claims is None or claims["x"] < cloud.clock.now() else claims


def _cookies(asked: Asked) -> dict[str, str]:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(asked.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: one.value for name, one in found.items()}
