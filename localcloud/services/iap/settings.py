"""iap.getIapSettings and updateIapSettings: kept for each resource, and carried out by the gate."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid
from localcloud.iap.settings import SETTINGS
from localcloud.merge import merged
from localcloud.services.iap import resources

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_UNMET = {
    "accessSettings": (
        "gcipSettings",
        "identitySources",
        "policyDelegationSettings",
        "reauthSettings",
        "workforceIdentitySettings",
    ),
    "applicationSettings": ("attributePropagationSettings", "csmSettings"),
}
_UNMET_OF_PAGE = ("generateTroubleshootingUri", "remediationTokenGenerationEnabled")


def get(call: Call) -> Resource:
    """Give what a resource itself says; what it inherits is not shown."""
    name = resources.checked(call, "getSettings")
    return _shown(call, name)


def update(call: Call) -> Resource:
    """Change settings: those of the mask, or all."""
    name = resources.checked(call, "updateSettings")
    sent = {key: value for key, value in call.body.items() if key != "name"}
    _refuse_unmet(sent)
    kept = call.cloud.store.of(SETTINGS)
    before = kept.find(name) or {}
    paths = call.mask()
    after = merged(before, sent, paths) if paths else sent
    kept.put(name, _hashed(after, before))
    return _shown(call, name)


def _shown(call: Call, name: str) -> Resource:
    found = call.cloud.store.of(SETTINGS).find(name) or {}
    return {"name": call.cloud.by_number(name), **found}


def _hashed(settings: Resource, before: Resource) -> Resource:
    """Keep a secret's hash in place of the secret; nobody reads it back."""
    oauth = settings.get("accessSettings", {}).get("oauthSettings", {})
    secret = oauth.pop("clientSecret", None)
    if secret is not None:
        oauth["clientSecretSha256"] = hashlib.sha256(secret.encode()).hexdigest()
    elif oauth:
        known = before.get("accessSettings", {}).get("oauthSettings", {})
        oauth.pop("clientSecretSha256", None)
        if "clientSecretSha256" in known and known.get("clientId") == oauth.get("clientId"):
            oauth["clientSecretSha256"] = known["clientSecretSha256"]
    if oauth.get("clientId") and "clientSecretSha256" not in oauth:
        raise invalid("oauth_settings: client_id and client_secret must be set together.")
    return settings


def _refuse_unmet(sent: Resource) -> None:
    page = sent.get("applicationSettings", {}).get("accessDeniedPageSettings", {})
    unmet = [
        name for group, names in _UNMET.items() for name in names if sent.get(group, {}).get(name)
    ]
    unmet += [name for name in _UNMET_OF_PAGE if page.get(name)]
    if unmet:
        raise ApiError(
            501, f"IAP's {', '.join(unmet)} have no local counterpart.", status="UNIMPLEMENTED"
        )
