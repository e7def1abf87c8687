"""iap: Identity-Aware Proxy asks, alone or before MLflow's own login."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from functions.verification import tokens
from functions.verification.answers import is_refusal_by_iap, sent_to_sign_in
from functions.verification.check import Check
from functions.verification.entrances.entrance import (
    GREETED,
    Entrance,
    Headers,
    Stranger,
    greeting,
    nobody,
)
from functions.verification.entrances.iam import bearer

if TYPE_CHECKING:
    from collections.abc import Callable

    from planner.target import Target

# IAP takes its token from either header; MLflow's login needs the first one for itself.
_ALONE = "Authorization"
_BEFORE = "Proxy-Authorization"


def entrance(target: Target) -> Entrance:
    """Return the door where IAP alone asks."""
    return Entrance(
        strangers=(
            Stranger("no token", nobody, is_refusal_by_iap),
            *_with_tokens(target, _ALONE, nobody),
        ),
        member=_passes(target.platform.accounts.verify, _ALONE),
        greets=_sends_to_sign_in,
    )


def before(target: Target, behind: Entrance) -> Entrance:
    """Return the door where IAP asks first, and then what is behind it."""
    passes = _passes(target.platform.accounts.verify, _BEFORE)

    def let_through(stranger: Stranger) -> Stranger:
        return replace(
            stranger,
            who=f"IAP's token and {stranger.who}",
            headers=lambda url: {**stranger.headers(url), **passes(url)},
        )

    return Entrance(
        strangers=(
            Stranger("neither token nor password", nobody, is_refusal_by_iap),
            Stranger("the password and no token", behind.member, is_refusal_by_iap),
            *_with_tokens(target, _BEFORE, behind.member),
            *(let_through(stranger) for stranger in behind.strangers),
        ),
        member=lambda url: {**behind.member(url), **passes(url)},
        greets=_sends_to_sign_in,
        unseen=behind.unseen,
    )


def _passes(account: str, header: str) -> Callable[[str], Headers]:
    """Return what makes the headers with which an account gets past IAP, if it may."""
    return lambda url: bearer(tokens.signed(account, f"{url}/*"), header=header)


def _with_tokens(
    target: Target, header: str, also: Callable[[str], Headers]
) -> tuple[Stranger, ...]:
    """Return those who must not pass with the token they have, whatever else they come with."""
    accounts = target.platform.accounts

    def forged(url: str) -> Headers:
        token = tokens.forged(tokens.signed(accounts.verify, f"{url}/*"))
        return {**also(url), **bearer(token, header=header)}

    def valid(url: str) -> Headers:
        return {**also(url), **_passes(accounts.stranger, header)(url)}

    return (
        Stranger("a forged token", forged, is_refusal_by_iap),
        Stranger(f"a token of {accounts.stranger}", valid, is_refusal_by_iap),
    )


def _sends_to_sign_in(url: str) -> Check:
    greeting(url, "/", sent_to_sign_in, how="sent to Google's sign-in")
    return Check(GREETED, ok=True, detail=f"{url}: sign-in with Google")
