"""credentials: makes passwords and the database user; nothing but names ever comes back.

The version of the secret comes first and the user second. A crash in between leaves a password
that nobody uses yet; the repeat reads it and gives the user the very same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import calls, clients, http, logs, passwords
from functions.calls import CredentialsCall
from functions.http import Answer, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request, Response

    from planner.target import Target


def see_to(request: Request) -> Answer:
    """Answer POST: the name of the secret version that holds what was asked for."""
    from planner.target import Target

    call, place = calls.received(request, CredentialsCall)
    target = Target(calls.wanted(call), place)
    version = _WAYS[call.credential](target)
    logs.write("INFO", f"{call.credential} is there", secret_version=version)
    return Answer(200, {"secretVersion": version})


def _secret(purpose: str) -> Callable[[Target], str]:
    def kept(target: Target) -> str:
        name, _ = _password(target, purpose)
        return name

    return kept


def _database_user(target: Target) -> str:
    from functions import database
    from planner import sizes

    version, password = _password(target, "db-password")
    database.set_up_user(
        clients.discovered("sqladmin", "v1"),
        target,
        password,
        connection_limit=sizes.connection_limit(target.request),
    )
    return version


def _password(target: Target, purpose: str) -> tuple[str, str]:
    secret = f"projects/{target.project}/secrets/{target.secret(purpose)}"
    return passwords.kept(clients.discovered("secretmanager", "v1"), secret)


_WAYS: dict[str, Callable[[Target], str]] = {
    "db_password": _secret("db-password"),
    "db_user": _database_user,
    "admin_password": _secret("admin-password"),
    "flask_secret": _secret("flask-secret"),
}

ROUTES = (Route("POST", "/", see_to),)


def credentials(request: Request) -> Response:
    """Serve the workflow; the entry point that is deployed."""
    return http.serve("credentials", ROUTES, request)
