"""oauth2-proxy's configuration: what the plan says, and the three values that no plan may see."""

from __future__ import annotations

import base64
import json
import secrets
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_BYTES = 32


def text(options: Mapping[str, Any], *, client: tuple[str, str], before: str | None) -> str:
    """Return the file's text; the same values give the same text.

    Args:
        options: What the plan says.
        client: Id and secret of the OAuth client.
        before: What the file said until now. Its cookie secret stays: a new one signs everybody out.
    """
    client_id, client_secret = client
    complete = {
        **options,
        "client_id": client_id,
        "client_secret": client_secret,
        "cookie_secret": _cookie_secret(before),
    }
    lines = (f"{name} = {_toml(value)}" for name, value in sorted(complete.items()))
    return "\n".join((*lines, ""))


def _cookie_secret(before: str | None) -> str:
    try:
        known = tomllib.loads(before or "").get("cookie_secret")
    except tomllib.TOMLDecodeError:
        # Somebody wrote a version by hand; the proxy could not have started with it.
        known = None
    if isinstance(known, str) and known:
        return known
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _toml(value: object) -> str:
    # Strings, booleans and lists of strings are written in TOML as in JSON, for what the
    # schemas and `brought` let through.
    return json.dumps(value)
