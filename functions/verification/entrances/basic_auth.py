"""basic_auth: MLflow asks for name and password, and for nothing else."""

from __future__ import annotations

import base64
import secrets
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.cloud import clients
from functions.verification import tokens
from functions.verification.answers import is_challenge
from functions.verification.check import Check, failed
from functions.verification.entrances.entrance import (
    GREETED,
    Entrance,
    Headers,
    Stranger,
    greeting,
    nobody,
)
from schemas.access import BasicAuth

if TYPE_CHECKING:
    from planner.target import Target


def entrance(target: Target) -> Entrance:
    """Return the door of MLflow's login."""
    access = target.request.access
    assert isinstance(access, BasicAuth)
    name, stranger = access.admin_username, target.platform.accounts.stranger

    @cache
    def known() -> Headers:
        return _login(name, _admin_password(target))

    def guessed(_url: str) -> Headers:
        return _login(name, secrets.token_urlsafe(24))

    return Entrance(
        strangers=(
            Stranger("no password", nobody, is_challenge),
            Stranger("a wrong password", guessed, is_challenge),
            # As a password: MLflow itself looks nowhere else, and an image that nobody has built anew
            # answers a token in its own place with an error, which proves nothing.
            Stranger(
                f"a token of {stranger} for a password",
                lambda url: _login(name, tokens.of(stranger, url)),
                is_challenge,
            ),
        ),
        member=lambda _url: known(),
        greets=_asks_for_the_password,
    )


def _asks_for_the_password(url: str) -> Check:
    greeting(url, "/", is_challenge, how="asked for a password")
    return Check(GREETED, ok=True, detail=f"{url}: name and password")


def _admin_password(target: Target) -> str:
    from googleapiclient.errors import HttpError

    secret = f"projects/{target.project}/secrets/{target.secret('admin-password')}/versions/latest"
    versions = clients.discovered("secretmanager", "v1").projects().secrets().versions()
    try:
        answer = versions.access(name=secret).execute(num_retries=3)
    except HttpError as error:
        raise failed(
            "password is there",
            f"Secret Manager answered {error.status_code}: {error.reason}"[:500],
            # verify was given the right to read it moments ago.
            retry=error.status_code in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
        ) from error
    return base64.b64decode(answer["payload"]["data"]).decode()


def _login(username: str, password: str) -> Headers:
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}
