"""Reads secret versions the way Cloud Run does: over the API, as the runtime service account."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


class SecretError(Exception):
    """The secret version cannot be read; the message says so as Cloud Run does."""


def version_name(project: str, secret: str, version: str) -> str:
    """Return the full name of a secret version; *secret* may be short or full."""
    full = secret if secret.startswith("projects/") else f"projects/{project}/secrets/{secret}"
    return f"{full}/versions/{version or 'latest'}"


def read(cloud: Cloud, account: str, name: str) -> bytes:
    """Return the payload of the version *name*."""
    token = cloud.tokens.access_token(account)
    answer = cloud.request(
        "GET",
        f"https://secretmanager.googleapis.com/v1/{name}:access",
        headers={"authorization": f"Bearer {token}"},
    )
    if answer.status == HTTPStatus.OK:
        return base64.b64decode(answer.json()["payload"]["data"])
    if answer.status == HTTPStatus.FORBIDDEN:
        raise SecretError(
            f"Permission denied on secret: {name} for Revision service account {account}. "
            "The service account used must be granted the 'Secret Manager Secret Accessor' role "
            "(roles/secretmanager.secretAccessor) at the secret, project or higher level."
        )
    if answer.status == HTTPStatus.NOT_FOUND:
        raise SecretError(f"Secret {name} was not found")
    said = answer.json().get("error", {}).get("message", answer.text)
    raise SecretError(f"Secret {name} cannot be accessed: {said}")
