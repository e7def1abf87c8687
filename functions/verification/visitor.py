"""A visitor to a tracking server: calls it from outside, as a stranger or as a member."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.verification.check import failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response, Session

# A cold start of the server takes 4 to 10 seconds.
PATIENCE = 60.0
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
# What MLflow says when its lists of hosts and origins are wrong; waiting does not change those.
_MISCONFIGURED = ("Invalid Host header", "Cross-origin request blocked")


class Visitor:
    """Calls one URL of the server, over one connection.

    Args:
        url: One of the addresses the server answers at.
        headers: Makes the headers that prove who calls; a stranger has none.
    """

    def __init__(self, url: str, headers: Callable[[], dict[str, str]] = dict) -> None:
        self.url = url.rstrip("/")
        self._headers = headers

    @cached_property
    def _session(self) -> Session:
        import requests

        session = requests.Session()
        # Made once: the token of a member comes from the metadata server and lives an hour.
        session.headers.update(self._headers())
        return session

    def call(
        self,
        check: str,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        **content: Any,
    ) -> Response:
        """Call, whatever the answer; no answer at all fails the check."""
        import requests

        try:
            return self._session.request(
                method,
                self.url + path,
                headers=headers,
                # A login page that is redirected to must not pass for an answer.
                allow_redirects=False,
                timeout=PATIENCE,
                **content,
            )
        except requests.RequestException as error:
            raise failed(check, f"{self.url} does not answer: {error}"[:500], retry=True) from error

    def expect(self, check: str, method: str, path: str, **content: Any) -> Response:
        """Call, and fail the check unless the answer is 200."""
        answer = self.call(check, method, path, **content)
        if answer.status_code != HTTPStatus.OK:
            raise failed(
                check,
                f"{method} {self.url}{path.split('?', maxsplit=1)[0]} answered {said(answer)}",
                retry=may_pass(answer),
            )
        return answer


def is_refusal(answer: Response) -> bool:
    """Say whether the caller was turned away."""
    return answer.status_code in _REFUSED


def may_pass(answer: Response) -> bool:
    """Say whether a wrong answer may be right in a few minutes.

    A member who is refused, a route that is not known and a server that fails can all be rights
    and routes that are still spreading. MLflow's refusal of a host or an origin is for good.
    """
    if any(words in answer.text for words in _MISCONFIGURED):
        return False
    status = answer.status_code
    return (
        is_refusal(answer)
        or status in (HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS)
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )


def said(answer: Response) -> str:
    """Return the status and the beginning of what was answered, on one line."""
    return f"{answer.status_code}: {' '.join(answer.text.split())[:300]}"
