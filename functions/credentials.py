"""credentials: whatever needs a secret's value to be made; nothing but names ever comes back.

The version of the secret comes first and the database user second. A crash in between leaves a
password that nobody uses yet; the repeat reads it and gives the user the very same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import calls
from functions.calls import CredentialsCall
from functions.cloud import clients
from functions.door import http, logs
from functions.door.http import Answer, Route
from functions.secrets import passwords

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request, Response

    from planner.target import Target


def see_to(request: Request) -> Answer:
    """Answer POST: the name of what holds it now, a secret or its version, or a resource of IAP's."""
    from planner.target import Target

    call, place = calls.received(request, CredentialsCall)
    target = Target(calls.wanted(call), place)
    name = _WAYS[call.credential](target)
    logs.write("INFO", f"{call.credential} is there", name=name)
    return Answer(200, {"name": name})


def _secret(purpose: str) -> Callable[[Target], str]:
    def kept(target: Target) -> str:
        name, _ = _password(target, purpose)
        return name

    return kept


def _database_user(target: Target) -> str:
    from functions.secrets import database
    from planner import sizes

    version, password = _password(target, "db-password")
    database.set_up_user(
        clients.discovered("sqladmin", "v1"),
        target,
        password,
        connection_limit=sizes.connection_limit(target.request),
    )
    return version


def _iap_settings(target: Target) -> str:
    from functions.secrets import iap_settings

    return iap_settings.bring_about(target)


def _oauth_client(target: Target) -> str:
    from functions.secrets import brought

    client = target.oauth_client
    assert client is not None
    brought.oauth_client(clients.discovered("secretmanager", "v1"), target, client)
    return f"projects/{target.project}/secrets/{client.id_secret}"


def _proxy_config(target: Target) -> str:
    from functions.secrets import brought, proxy_config
    from planner.access import oauth2_proxy
    from schemas.access import OAuth2Proxy

    access = target.request.access
    assert isinstance(access, OAuth2Proxy)
    vault = clients.discovered("secretmanager", "v1")
    client = brought.oauth_client(vault, target, access.oauth_client)

    def text(before: str | None) -> str:
        return proxy_config.text(oauth2_proxy.options(target), client=client, before=before)

    return _written(target, "proxy-config", text)


def _proxy_members(target: Target) -> str:
    from planner.access import oauth2_proxy

    lines = "\n".join((*oauth2_proxy.addresses(target), ""))
    return _written(target, "proxy-members", lambda _before: lines)


def _password(target: Target, purpose: str) -> tuple[str, str]:
    return passwords.kept(clients.discovered("secretmanager", "v1"), _full(target, purpose))


def _written(target: Target, purpose: str, text: Callable[[str | None], str]) -> str:
    """Return the version that says `text`, made only if the newest one says anything else."""
    vault, secret = clients.discovered("secretmanager", "v1"), _full(target, purpose)
    found = passwords.newest(vault, secret)
    wanted = text(None if found is None else found[1])
    if found is not None and found[1] == wanted:
        return found[0]
    return passwords.add(vault, secret, wanted)


def _full(target: Target, purpose: str) -> str:
    return f"projects/{target.project}/secrets/{target.secret(purpose)}"


_WAYS: dict[str, Callable[[Target], str]] = {
    "db_password": _secret("db-password"),
    "db_user": _database_user,
    "admin_password": _secret("admin-password"),
    "flask_secret": _secret("flask-secret"),
    "iap_settings": _iap_settings,
    "oauth_client": _oauth_client,
    "proxy_config": _proxy_config,
    "proxy_members": _proxy_members,
}

ROUTES = (Route("POST", "/", see_to),)


def credentials(request: Request) -> Response:
    """Serve the workflow; the entry point that is deployed."""
    return http.serve("credentials", ROUTES, request)
