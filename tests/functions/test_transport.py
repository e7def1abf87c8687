"""How googleapiclient's calls travel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.oauth2.credentials import Credentials
from requests.adapters import BaseAdapter

from functions.cloud.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://secretmanager.googleapis.com/v1/projects/p/secrets/s:addVersion"


class Line(BaseAdapter):
    """Stands for the network: answers as it is told, and notes what was sent."""

    def __init__(self, answer: Callable[[], requests.Response]) -> None:
        super().__init__()
        self._answer = answer
        self.sent: list[tuple[str | None, str | None]] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer."""
        self.sent.append((request.method, request.url))
        answer = self._answer()
        answer.request, answer.url = request, request.url or ""
        return answer

    def close(self) -> None:
        """Hold nothing, so let nothing go."""


def _transport(line: Line) -> Transport:
    made = Transport(Credentials(token="t"))  # type: ignore[no-untyped-call]
    made._session.mount("https://", line)
    return made


def _moved() -> requests.Response:
    answer = requests.Response()
    answer.status_code = 307
    answer.headers["Location"] = URL + "?again"
    answer._content = b""
    return answer


def _broken() -> requests.Response:
    raise requests.ConnectionError("Connection aborted")


def test_a_call_that_is_sent_elsewhere_is_not_repeated_there() -> None:
    """Whoever may repeat a call says so; a redirect does not ask."""
    line = Line(_moved)

    answer, _ = _transport(line).request(URL, "POST", b"{}")

    assert answer.status == 307
    assert line.sent == [("POST", URL)]


def test_a_broken_connection_is_an_error_that_googleapiclient_knows() -> None:
    """It is the one error that `num_retries` repeats besides Google's own."""
    line = Line(_broken)

    with pytest.raises(ConnectionError, match="aborted"):
        _transport(line).request(URL, "POST", b"{}")

    assert len(line.sent) == 1
