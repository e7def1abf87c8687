"""iam: Google asks for an ID token, before a request reaches the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.verification import tokens
from functions.verification.entrances.entrance import Entrance, Headers, Stranger, nobody

if TYPE_CHECKING:
    from planner.target import Target


def entrance(target: Target) -> Entrance:
    """Return the door of Cloud Run's invoker check."""
    stranger = target.platform.accounts.stranger
    return Entrance(
        strangers=(
            Stranger("no token", nobody),
            Stranger("a forged token", lambda url: bearer(tokens.forged(tokens.own(url)))),
            Stranger(f"a token of {stranger}", lambda url: bearer(tokens.of(stranger, url))),
        ),
        member=lambda url: bearer(tokens.own(url)),
    )


def bearer(token: str, *, header: str = "Authorization") -> Headers:
    """Return the headers of somebody who comes with a token."""
    return {header: f"Bearer {token}"}
