"""appengine.apps: the one application of the project, made once and for ever."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, already_exists, denied, invalid, not_found
from localcloud.merge import merged
from localcloud.services.appengine import names, operations

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_SETTABLE = frozenset(
    {
        "authDomain",
        "databaseType",
        "defaultCookieExpiration",
        "featureSettings",
        "iap",
        "serviceAccount",
        "servingStatus",
        "sslPolicy",
    }
)
_FIXED = frozenset({"id", "locationId"})
_RULE = ("*", 2147483647)


def create(call: Call) -> Resource:
    """Make the application; where it is cannot be changed, and it cannot be deleted."""
    body = dict(call.body)
    ident = body.pop("id", "")
    place = body.pop("locationId", "")
    if ident != call.cloud.project:
        raise denied("The caller does not have permission") if ident else invalid("id: must be set")
    app = f"apps/{ident}"
    if call.store.find(app) is not None:
        raise already_exists("This application already exists and cannot be re-created.")
    if place not in names.LOCATIONS:
        raise invalid(
            f"Invalid location '{place}' for an application; locations.list gives those there are."
        )
    _check_fields(body, set(body))
    fresh = {
        "name": app,
        "id": ident,
        "locationId": place,
        "authDomain": "gmail.com",
        "servingStatus": "SERVING",
        "codeBucket": f"staging.{ident}.appspot.com",
        "defaultBucket": f"{ident}.appspot.com",
        "defaultHostname": names.host(app, place),
        "gcrDomain": "eu.gcr.io" if place.startswith("europe") else "us.gcr.io",
        "serviceAccount": names.default_account(call.cloud),
        "featureSettings": {"splitHealthChecks": True, "useContainerOptimizedOs": True},
        "databaseType": "CLOUD_DATASTORE_COMPATIBILITY",
        "sslPolicy": "DEFAULT",
        **body,
    }
    _check_account(call, fresh["serviceAccount"])
    fresh = _hashed(fresh, {})

    def work() -> Resource:
        with call.store.lock():
            made = call.store.create(app, fresh)
            source, priority = _RULE
            rule = {"priority": priority, "action": "ALLOW", "sourceRange": source}
            rule["description"] = "The default action."
            call.store.put(f"{app}/firewall/ingressRules/{priority}", rule)
        return made

    return operations.start(call, "Applications.CreateApplication", app, work, "Application")


def get(call: Call) -> Resource:
    """Give the application."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the application a call is about; 404 if the project has none."""
    app = names.app_of(call)
    found = call.store.find(app)
    if found is None:
        raise not_found(f"Could not find Application '{call['appsId']}'.")
    return found


def patch(call: Call) -> Resource:
    """Change what can be changed; an update mask says what."""
    current = fetch(call)
    paths = call.mask()
    if not paths:
        raise invalid("An update mask is required.")
    _check_fields(call.body, {path.partition(".")[0] for path in paths})
    changed = _hashed(merged(current, call.body, paths), current.get("iap", {}))
    _check_account(call, changed["serviceAccount"])
    app = current["name"]

    def work() -> Resource:
        return call.store.put(app, changed)

    return operations.start(call, "Applications.UpdateApplication", app, work, "Application")


def repair(call: Call) -> Resource:
    """Make Google's own parts of the application anew; here nothing ever misses."""
    current = fetch(call)
    app = current["name"]
    return operations.start(
        call,
        "Applications.RepairApplication",
        app,
        lambda: call.store.find(app) or current,
        "Application",
    )


def _check_fields(body: Resource, fields: set[str]) -> None:
    for field in sorted(fields & _FIXED):
        raise invalid(f"The field '{field}' of an application cannot be changed.")
    if "dispatchRules" in fields:
        raise ApiError(501, "dispatchRules have no local counterpart.", status="UNIMPLEMENTED")
    unknown = sorted(fields - _SETTABLE)
    if unknown:
        raise invalid(f"Invalid update mask: '{unknown[0]}' is not a field that can be updated.")
    if body.get("servingStatus") == "SYSTEM_DISABLED":
        raise invalid("servingStatus: only Google disables an application so.")


def _check_account(call: Call, email: str) -> None:
    if not call.cloud.account_exists(email):
        raise invalid(f"Service account {email} does not exist.")


def _hashed(app: Resource, before: Resource) -> Resource:
    """Keep the hash of IAP's client secret in place of the secret.

    The document asks for id and secret as soon as IAP is on; IAP's own pages say that without them
    Google's client is used, and so it is here (cloud.google.com/iap/docs/enabling-app-engine).
    """
    given = app.get("iap")
    if given is None:
        return app
    kept = {key: given[key] for key in ("enabled", "oauth2ClientId") if key in given}
    secret = given.get("oauth2ClientSecret")
    if secret:
        kept["oauth2ClientSecretSha256"] = hashlib.sha256(secret.encode()).hexdigest()
    elif before.get("oauth2ClientId") == kept.get("oauth2ClientId"):
        known = before.get("oauth2ClientSecretSha256")
        kept |= {"oauth2ClientSecretSha256": known} if known else {}
    if bool(kept.get("oauth2ClientId")) != ("oauth2ClientSecretSha256" in kept):
        raise invalid("iap: oauth2_client_id and oauth2_client_secret must be set together.")
    return {**app, "iap": kept}
