"""Tokens to come with: of verify itself, of the stranger who may enter nowhere, and forged ones."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any

from functions.cloud import clients
from functions.verification.check import failed

# As long as a proof may take, and half of what IAP allows.
_SECONDS = 1800
# Rights that the installation gave a moment ago, and accounts that it made.
_SPREADING = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


def own(audience: str) -> str:
    """Return an ID token of the account that verify runs as, from the metadata server."""
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token

    return str(fetch_id_token(Request(), audience))  # type: ignore[no-untyped-call]


def of(account: str, audience: str) -> str:
    """Return an ID token of another account."""
    answer = _asked(account, "generateIdToken", {"audience": audience, "includeEmail": True})
    return str(answer["token"])


def signed(account: str, audience: str) -> str:
    """Return claims that an account has signed itself, as IAP takes them from programs."""
    now = int(time.time())
    claims = {"iss": account, "sub": account, "aud": audience, "iat": now, "exp": now + _SECONDS}
    return str(_asked(account, "signJwt", {"payload": json.dumps(claims)})["signedJwt"])


def forged(token: str) -> str:
    """Return a token with the signature of nobody."""
    claims, _, signature = token.rpartition(".")
    return f"{claims}.{signature[::-1]}"


def _asked(account: str, method: str, body: dict[str, Any]) -> dict[str, Any]:
    from googleapiclient.errors import HttpError

    accounts = clients.discovered("iamcredentials", "v1").projects().serviceAccounts()
    try:
        call = getattr(accounts, method)(name=f"projects/-/serviceAccounts/{account}", body=body)
        found: dict[str, Any] = call.execute(num_retries=3)
    except HttpError as error:
        raise failed(
            "token made",
            f"{method} of {account} was refused with {error.status_code}: {error.reason} - "
            "what helps: python -m install apply, which restores verify's rights"[:500],
            retry=error.status_code in _SPREADING,
        ) from error
    return found
