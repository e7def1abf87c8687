"""Identity-Aware Proxy's settings: a client of the team's own, and the domains people are of."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from functions.cloud import clients
from functions.door import logs, problems
from functions.secrets import brought

if TYPE_CHECKING:
    from planner.target import Target

MASK = "accessSettings"


def bring_about(target: Target) -> str:
    """Make the settings what the request says, and return what they are of.

    Google shows a secret's hash and never the secret, so what is right already is left alone.

    Raises:
        ProblemError: 400 when the client cannot be read, 502 in Google's words, the secret cleaned
            out of them.
    """
    from googleapiclient.errors import HttpError

    from planner.access import iap

    name = iap.resource(target)
    wanted = _wanted(target, iap.allowed_domains(target))
    secret = wanted.get("oauthSettings", {}).get("clientSecret", "")
    api = clients.discovered("iap", "v1").v1()
    shown = api.getIapSettings(name=name).execute(num_retries=3).get(MASK, {})
    if _comparable(shown) == _comparable(wanted):
        logs.write("INFO", "the settings are as they should be", resource=name)
        return name
    change = api.updateIapSettings(name=name, updateMask=MASK, body={"name": name, MASK: wanted})
    try:
        change.execute()
    except HttpError as error:
        words = str(error.reason)
        # An error may quote what was sent.
        words = words.replace(secret, "(client secret)") if secret else words
        raise problems.google_refused(int(error.status_code), words) from None
    return name


def _wanted(target: Target, domains: tuple[str, ...]) -> dict[str, Any]:
    iap = target.iap
    assert iap is not None
    wanted: dict[str, Any] = {}
    if iap.oauth_client is not None:
        vault = clients.discovered("secretmanager", "v1")
        client_id, client_secret = brought.oauth_client(vault, target, iap.oauth_client)
        wanted["oauthSettings"] = {"clientId": client_id, "clientSecret": client_secret}
    if domains:
        wanted["allowedDomainsSettings"] = {"enable": True, "domains": list(domains)}
    return wanted


def _comparable(settings: dict[str, Any]) -> tuple[Any, ...]:
    oauth = settings.get("oauthSettings", {})
    limit = settings.get("allowedDomainsSettings", {})
    secret = oauth.get("clientSecret")
    shown = (
        hashlib.sha256(secret.encode()).hexdigest() if secret else oauth.get("clientSecretSha256")
    )
    domains = sorted(limit.get("domains", ())) if limit.get("enable") else []
    return oauth.get("clientId"), shown, domains
