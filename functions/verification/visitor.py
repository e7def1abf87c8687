"""A visitor to a tracking server: calls it from outside, as a stranger or as a member."""

from __future__ import annotations

import re
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.verification.answers import may_pass, said
from functions.verification.check import failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response, Session

# A cold start of the server takes 4 to 10 seconds.
PATIENCE = 60.0
# What follows may be a signature, which is as good as a key for as long as it holds.
_QUERY = re.compile(r"\?\S+")


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
        # Made once: a token lives for half an hour at least.
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
            why = _QUERY.sub("", str(error))
            raise failed(check, f"{self.url} does not answer: {why}"[:500], retry=True) from error

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

    def ask(self, check: str, method: str, path: str, **content: Any) -> dict[str, Any]:
        """Call, and fail the check unless the answer is 200 and a JSON object."""
        return json_object(check, self.expect(check, method, path, **content))


def json_object(check: str, answer: Response) -> dict[str, Any]:
    """Return the JSON object that the server answers with.

    Raises:
        CheckFailedError: It answers with something else: a page, by whoever stands before it.
    """
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        where = answer.url.partition("?")[0]
        raise failed(check, f"{where} did not answer as MLflow does: {said(answer)}")
    return found
