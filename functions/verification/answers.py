"""Answers: what they mean, and whether a wrong one may be right in a few minutes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from requests import Response

SIGN_IN = "accounts.google.com"
"""Where people sign in with Google."""

_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_OF_IAP = "X-Goog-IAP-Generated-Response"
# What MLflow says when its lists of hosts and origins are wrong; waiting does not change those.
_MISCONFIGURED = ("Invalid Host header", "Cross-origin request blocked")


def is_refusal(answer: Response) -> bool:
    """Say whether the caller was turned away."""
    return answer.status_code in _REFUSED


def is_challenge(answer: Response) -> bool:
    """Say whether the caller was asked for name and password."""
    asked = answer.headers.get("WWW-Authenticate", "")
    return answer.status_code == HTTPStatus.UNAUTHORIZED and asked.lower().startswith("basic")


def is_refusal_by_iap(answer: Response) -> bool:
    """Say whether it was Identity-Aware Proxy that turned the caller away.

    A server behind it, or Cloud Run itself, may refuse as well: then IAP is not there, and
    nobody is ever asked to sign in.
    """
    by_iap = answer.headers.get(_OF_IAP, "").lower() == "true"
    return by_iap and (is_refusal(answer) or answer.is_redirect)


def sent_to_sign_in(answer: Response) -> bool:
    """Say whether the caller is sent to Google's sign-in, and nowhere else."""
    place = address(answer.headers.get("Location", ""))
    return answer.is_redirect and (place.scheme, place.hostname) == ("https", SIGN_IN)


def address(text: str) -> SplitResult:
    """Return the parts of an address that a server names; all are empty where it is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def may_pass(answer: Response) -> bool:
    """Say whether a wrong answer may be right in a few minutes.

    A member who is refused or asked to sign in, a route that is not known and a server that fails
    can all be rights and routes that are still spreading: seven minutes for IAP's policies, five
    for a version of App Engine. MLflow's refusal of a host or an origin is for good.
    """
    if any(words in answer.text for words in _MISCONFIGURED):
        return False
    status = answer.status_code
    return (
        is_refusal(answer)
        or is_refusal_by_iap(answer)
        or sent_to_sign_in(answer)
        or status in (HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def said(answer: Response) -> str:
    """Return the status and the beginning of what was answered, on one line."""
    if answer.is_redirect:
        # Where to, but not with what: the rest of it may hold a state that somebody could use.
        return f"{answer.status_code}, sent to {answer.headers['Location'].partition('?')[0][:200]}"
    return f"{answer.status_code}: {' '.join(answer.text.split())[:300]}"
