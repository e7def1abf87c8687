"""What the connection repeats, and what it says when nothing helps."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from google.oauth2.credentials import Credentials
from requests.adapters import BaseAdapter

from install.errors import InstallError
from install.session import Session

API = "https://run.googleapis.com/v2/projects/p"
SIGNED = "https://storage.googleapis.com/uploads/zip?X-Goog-Signature=as-good-as-a-key"

Reply = Callable[[str], requests.Response]


class Line(BaseAdapter):
    """Stands for the network: gives one reply after the other, and the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self._replies = list(replies)
        self.sent: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Give the next reply."""
        self.sent.append(request.headers.get("Authorization", "nobody"))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        return reply(request.url or "")

    def close(self) -> None:
        """Hold nothing, so let nothing go."""


def says(status: int, text: bytes = b"{}") -> Reply:
    """Return an answer with a body."""

    def reply(url: str) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer._content = status, url, text
        return answer

    return reply


def cut(url: str) -> requests.Response:
    """Break before the answer."""
    raise requests.ConnectionError(f"Max retries exceeded with url: {url}")


def cut_within(url: str) -> requests.Response:
    """Break in the middle of the answer."""
    raise requests.exceptions.ChunkedEncodingError(f"Response ended prematurely: {url}")


class Minutes:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += seconds


def session(line: Line) -> Session:
    """Return a session that is somebody's."""
    minutes = Minutes()
    return Session(
        Credentials(token="t"),  # type: ignore[no-untyped-call]
        sleep=minutes.sleep,
        clock=lambda: minutes.passed,
        transport=line,
    )


@pytest.mark.parametrize("trouble", [cut, cut_within, says(503)])
def test_what_passes_is_waited_for(trouble: Reply) -> None:
    """A connection that breaks, before the answer or within it, is as harmless as a bad moment."""
    line = Line(trouble, says(200, b'{"name": "p"}'))

    assert session(line).get(API) == {"name": "p"}
    assert line.sent == ["Bearer t", "Bearer t"]


@pytest.mark.parametrize("trouble", [cut, cut_within, says(503)])
def test_an_upload_is_as_patient(trouble: Reply) -> None:
    """The same bytes at the same place: a second one does no harm. No token goes along."""
    line = Line(trouble, says(200))

    session(line).upload(SIGNED, b"zip", "application/zip")

    assert line.sent == ["nobody", "nobody"]


@pytest.mark.parametrize("trouble", [cut, says(403, b"SignatureDoesNotMatch")])
def test_an_upload_that_fails_says_so_without_the_signature(trouble: Reply) -> None:
    """Whoever reads the terminal's record could use it."""
    with pytest.raises(InstallError, match="PUT https://storage") as caught:
        session(Line(trouble)).upload(SIGNED, b"zip", "application/zip")

    assert "as-good-as-a-key" not in str(caught.value)
