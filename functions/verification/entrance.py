"""The door: a stranger must be refused, and how a member gets in. One entry per access mode."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions import clients
from functions.verification.check import Check, failed
from functions.verification.visitor import Visitor, is_refusal, may_pass, said

if TYPE_CHECKING:
    from collections.abc import Callable

    from planner.target import Target

# Reading is what a stranger must not even be able to do.
_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True)
class Entrance:
    """How callers of one access mode prove who they are.

    Args:
        strangers: Who must be turned away: a name, and the headers they come with.
        member: Makes the headers of somebody who may enter, for one URL.
    """

    strangers: tuple[tuple[str, dict[str, str]], ...]
    member: Callable[[str], dict[str, str]]


def entrance(target: Target) -> Entrance:
    """Return how the deployment's callers prove who they are."""
    return _MODES[target.request.access.mode](target)


def refuses_strangers(url: str, way_in: Entrance) -> Check:
    """Prove that those who may not enter do not.

    Raises:
        CheckFailedError: Somebody got in, or the server gave no answer that proves anything.
    """
    name = "stranger refused"
    for who, headers in way_in.strangers:
        answer = Visitor(url, partial(dict, headers)).call(name, "GET", _SEARCH)
        if not is_refusal(answer):
            raise failed(
                name,
                f"a stranger with {who} was not refused at {url}: {said(answer)}",
                # An open door is never a matter of waiting.
                retry=may_pass(answer),
            )
    return Check(name, ok=True, detail=url)


def _iam(_target: Target) -> Entrance:
    return Entrance(strangers=(("no token", {}),), member=_identity_token)


def _identity_token(url: str) -> dict[str, str]:
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token

    token = fetch_id_token(Request(), url)  # type: ignore[no-untyped-call]
    return {"Authorization": f"Bearer {token}"}


def _basic_auth(target: Target) -> Entrance:
    access = target.request.access
    assert access.mode == "basic_auth"
    password = _admin_password(target)
    known = _basic(access.admin_username, password)
    guessed = _basic(access.admin_username, secrets.token_urlsafe(24))
    return Entrance(
        strangers=(("no password", {}), ("a wrong password", guessed)), member=lambda _url: known
    )


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


def _basic(username: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


_MODES: dict[str, Callable[[Target], Entrance]] = {"iam": _iam, "basic_auth": _basic_auth}
