"""oauth2_proxy: a proxy beside the server asks people to sign in, and programs for an ID token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from functions.verification import tokens
from functions.verification.answers import sent_to_sign_in
from functions.verification.check import Check, failed
from functions.verification.entrances.entrance import GREETED, Entrance, Stranger, greeting, nobody
from functions.verification.entrances.iam import bearer
from schemas.access import OAuth2Proxy

if TYPE_CHECKING:
    from planner.target import Target


def entrance(target: Target) -> Entrance:
    """Return the door of the proxy."""
    access = target.request.access
    assert isinstance(access, OAuth2Proxy)
    stranger = target.platform.accounts.stranger
    strangers = [
        Stranger("no token", nobody),
        Stranger("a forged token", lambda url: bearer(tokens.forged(tokens.own(url)))),
    ]
    unseen = []
    if stranger.partition("@")[2] in access.email_domains:
        unseen.append("that others are refused: everybody of this project's accounts is let in")
    else:
        strangers.append(
            Stranger(f"a token of {stranger}", lambda url: bearer(tokens.of(stranger, url)))
        )
    return Entrance(
        strangers=tuple(strangers),
        member=lambda url: bearer(tokens.own(url)),
        greets=_sends_to_sign_in,
        unseen=tuple(unseen),
    )


def _sends_to_sign_in(url: str) -> Check:
    from planner.access.oauth2_proxy import CALLBACK

    answer = greeting(url, "/oauth2/start", sent_to_sign_in, how="sent to Google's sign-in")
    # Whoever signs in at one address and comes back at another has lost his session on the way.
    back = parse_qs(urlsplit(answer.headers["Location"]).query).get("redirect_uri", [])
    if back != [f"{url}{CALLBACK}"]:
        found = ", ".join(back)[:200] or "nowhere"
        raise failed(GREETED, f"who signs in at {url} is sent back to {found}")
    return Check(GREETED, ok=True, detail=f"{url}: sign-in with Google, back to {url}{CALLBACK}")
