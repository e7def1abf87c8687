"""Entrance: how callers of one access mode prove who they are, and that others are turned away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.verification.answers import is_refusal, may_pass, said, sent_to_sign_in
from functions.verification.check import Check, failed
from functions.verification.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

Headers = dict[str, str]

GREETED = "login offered"

# Reading is what a stranger must not even be able to do.
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True)
class Stranger:
    """Somebody who must be turned away.

    Args:
        who: What he comes with, for people.
        headers: Makes the headers he comes with, for one URL.
        refused: Says whether an answer turns him away, and comes from who has to do it.
    """

    who: str
    headers: Callable[[str], Headers]
    refused: Callable[[Response], bool] = is_refusal


@dataclass(frozen=True)
class Entrance:
    """The door of one deployment.

    Args:
        strangers: Who must be turned away.
        member: Makes the headers of somebody who may enter, for one URL.
        greets: Proves that a person with a browser is asked to log in; where people come with a
            program only, there is nothing to prove.
        unseen: What the proof cannot see, for people.
    """

    strangers: tuple[Stranger, ...]
    member: Callable[[str], Headers]
    greets: Callable[[str], Check] | None = None
    unseen: tuple[str, ...] = ()


def nobody(_url: str) -> Headers:
    """Return the headers of somebody without credentials."""
    return {}


def refuses_strangers(url: str, way_in: Entrance) -> Check:
    """Prove that those who may not enter do not.

    Raises:
        CheckFailedError: Somebody got in, or the answer was none that proves anything.
    """
    name = "stranger refused"
    seen = []
    for stranger in way_in.strangers:
        answer = Visitor(url, partial(stranger.headers, url)).call(name, "GET", SEARCH)
        if not stranger.refused(answer):
            raise failed(
                name,
                f"a stranger with {stranger.who} was not refused as it must be at {url}: {said(answer)}",
                # An open door is never a matter of waiting.
                retry=may_pass(answer),
            )
        seen.append(f"{stranger.who}: {_in_short(answer)}")
    return Check(name, ok=True, detail=f"{url} ({'; '.join(seen)})")


def greeting(url: str, path: str, asked: Callable[[Response], bool], *, how: str) -> Response:
    """Come as a person with a browser and return the answer, which must be the way to log in.

    Args:
        url: One of the server's addresses.
        path: Where a person comes.
        asked: Says whether an answer asks to log in.
        how: What it must do to a browser, for people.

    Raises:
        CheckFailedError: It does something else.
    """
    answer = Visitor(url).call(GREETED, "GET", path, headers={"Accept": "text/html"})
    if not asked(answer):
        raise failed(
            GREETED, f"a browser is not {how} at {url}: {said(answer)}", retry=may_pass(answer)
        )
    return answer


def _in_short(answer: Response) -> str:
    status = f"{answer.status_code} {HTTPStatus(answer.status_code).phrase}"
    return f"{status}, to Google's sign-in" if sent_to_sign_in(answer) else status
