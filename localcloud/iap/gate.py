"""The one question every front end asks IAP: may this request pass, and as whom?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iap import credentials, pages, sessions
from localcloud.iap.assertions import HEADER, Assertions
from localcloud.iap.guarded import Admitted, Refusal
from localcloud.iap.settings import effective, part
from localcloud.identity.principals import ANONYMOUS, Principal, bearer, subject

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.iap.guarded import Asked, Guarded
    from localcloud.store import Resource

PERMISSION = "iap.webServiceVersions.accessViaIAP"
_OWN_HEADERS = ("x-goog-authenticated-user-email", "x-goog-authenticated-user-id", HEADER)
_HTML = {**pages.GENERATED, "content-type": "text/html; charset=UTF-8"}


def authorize(cloud: Cloud, guarded: Guarded, asked: Asked) -> Admitted | Refusal:
    """Say whether a request may pass; with what changed in its headers, or with which answer not.

    Headers that only IAP may set are dropped from whatever came from outside.
    """
    settings = effective(cloud, guarded.name)
    if asked.path == sessions.AUTHENTICATE:
        domain = str(settings.get("applicationSettings", {}).get("cookieDomain", ""))
        return sessions.complete(cloud, asked, domain)
    if sessions.CLEAR in asked.target.partition("?")[2].split("&"):
        return sessions.cleared(asked)
    dropped: dict[str, str | None] = dict.fromkeys((*_OWN_HEADERS, "proxy-authorization"))
    dropped["cookie"] = sessions.without_own(asked)
    preflight = part(settings, "accessSettings", "corsSettings").get("allowHttpOptions")
    if asked.method == "OPTIONS" and preflight:
        return Admitted("", dropped)
    try:
        email = _who(cloud, guarded, settings, asked)
    except credentials.InvalidError as error:
        why = str(error)
        return Refusal(
            401, pages.invalid(why), {**pages.GENERATED, "content-type": "text/html"}, why
        )
    if email is None:
        if _may(cloud, ANONYMOUS, guarded):
            return Admitted("", dropped)
        oauth = _oauth(settings)
        return sessions.begin(
            cloud, asked, client=_client(guarded, settings), hint=str(oauth.get("loginHint", ""))
        )
    if not _in_allowed_domain(email, settings) or not _may(cloud, Principal(email), guarded):
        return _denied(settings, email, asked)
    made = {
        "x-goog-authenticated-user-email": f"accounts.google.com:{email}",
        "x-goog-authenticated-user-id": f"accounts.google.com:{subject(email)}",
        HEADER: Assertions(cloud.tokens).make(email, guarded.audience),
    }
    return Admitted(email, {**dropped, **made})


def _who(cloud: Cloud, guarded: Guarded, settings: Resource, asked: Asked) -> str | None:
    """Find who asks: Proxy-Authorization if it is good, else Authorization, else the cookie."""
    client = _client(guarded, settings)
    programs = _oauth(settings).get("programmaticClients", ())
    proxied = bearer({"authorization": asked.headers.get("proxy-authorization", "")})
    if proxied is not None:
        try:
            return credentials.identity(cloud, proxied, asked, client=client, programs=programs)
        except credentials.InvalidError:
            if bearer(asked.headers) is None and sessions.signed_in(cloud, asked) is None:
                raise  # nothing else to go by
    token = bearer(asked.headers)
    if token is not None:
        return credentials.identity(cloud, token, asked, client=client, programs=programs)
    return sessions.signed_in(cloud, asked)


def _client(guarded: Guarded, settings: Resource) -> str:
    return str(_oauth(settings).get("clientId") or guarded.client)


def _oauth(settings: Resource) -> Resource:
    found: Resource = part(settings, "accessSettings", "oauthSettings")
    return found


def _may(cloud: Cloud, who: Principal, guarded: Guarded) -> bool:
    return cloud.iam.allowed(who.member, PERMISSION, "iap", guarded.name)


def _in_allowed_domain(email: str, settings: Resource) -> bool:
    """Tell whether the allowed domains have somebody's; that accounts are exempt is a guess."""
    wanted = part(settings, "accessSettings", "allowedDomainsSettings")
    person = not email.endswith(".gserviceaccount.com")
    domain = email.rpartition("@")[2]
    return not (wanted.get("enable") and person) or domain in wanted.get("domains", ())


def _denied(settings: Resource, email: str, asked: Asked) -> Refusal:
    page = part(settings, "applicationSettings", "accessDeniedPageSettings")
    log = f"{email} lacks {PERMISSION}"
    if page.get("accessDeniedPageUri"):
        headers = {**pages.GENERATED, "location": str(page["accessDeniedPageUri"])}
        return Refusal(302, b"", headers, log)
    return Refusal(403, pages.denied(email, asked.host), _HTML, log)
