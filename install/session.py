"""Talking to Google's REST APIs as whoever is logged in."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from google.auth.credentials import Credentials
from google.auth.exceptions import TransportError
from google.auth.transport.requests import AuthorizedSession
from requests.adapters import BaseAdapter

from install.errors import Answer, InstallError, operation_failed, refused

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PASSING = (429, 500, 502, 503, 504)
NOT_FOUND = 404

PATIENCE = 600.0
"""Seconds that an API or an account made moments ago may be unknown in places."""

OPERATION_BUDGET = 3600.0
"""Seconds after which a long-running operation is given up."""

_NO_ANSWER = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    TransportError,
)
# What follows may be a signature, which is as good as a key for as long as it holds.
_QUERY = re.compile(r"\?\S+")


class Session:
    """A connection with an identity. Repeats what is harmless to repeat."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        transport: BaseAdapter | None = None,
    ) -> None:
        """Connect as whoever the credentials are.

        Args:
            credentials: Whose rights count.
            sleep: How to wait.
            clock: How long it has been, in seconds.
            transport: What carries the requests, if not the network.
        """
        # google-auth ships no types; what it returns is a requests.Session.
        self._http: requests.Session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        self._plain = requests.Session()
        """For signed URLs, which are their own permission."""
        if transport is not None:
            self._http.mount("https://", transport)
            self._plain.mount("https://", transport)
        self._sleep = sleep
        self._clock = clock
        self.fresh = False
        """Whether this run has made something: only then is it worth waiting for its being known."""

    def get(self, url: str) -> Any:
        """Return what is at a URL, None when there is nothing."""
        return self.send("GET", url, absent_is_none=True)

    def send(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        absent_is_none: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and return the body of the answer.

        Raises:
            InstallError: The answer is an error; the message says what helps.
        """
        answer = self.ask(method, url, body, headers=headers)
        if answer.status == NOT_FOUND and absent_is_none:
            return None
        if not answer.is_good:
            raise refused(method, url, answer)
        return answer.body

    def ask(
        self, method: str, url: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request and return the answer, whatever it is, once it is more than passing.

        Every create of ours has a name of its own, so a repeat after a lost reply meets 409,
        which the rows take as "look again".
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        request = requests.Request(method, url, data=data, headers={**kind, **(headers or {})})
        return self._patiently(self._http, request, seconds=120)

    def _patiently(
        self, line: requests.Session, request: requests.Request, *, seconds: int
    ) -> Answer:
        started, pause = self._clock(), 1.0
        while True:
            answer = _once(line, request, seconds)
            waited = self._clock() - started
            if not self._worth_waiting(answer, waited):
                return answer
            self._sleep(pause)
            pause = min(pause * 2, 15.0)

    def _worth_waiting(self, answer: Answer, waited: float) -> bool:
        if answer.api_is_off or answer.account_unknown:
            return self.fresh and waited < PATIENCE
        return answer.status in (0, *PASSING) and waited < 60  # noqa: PLR2004 - a minute

    def upload(self, url: str, content: bytes, content_type: str) -> None:
        """Put bytes where a signed URL says; the URL is the permission, so no token goes along.

        Raises:
            InstallError: It was refused, or could not be reached.
        """
        request = requests.Request("PUT", url, data=content, headers={"Content-Type": content_type})
        answer = self._patiently(self._plain, request, seconds=300)
        if not answer.is_good:
            raise refused("PUT", url.partition("?")[0], answer)

    def watch(self, is_so: Callable[[], bool]) -> bool:
        """Ask again and again whether something is so; return whether it became so in time."""
        started, pause = self._clock(), 0.5
        while not is_so():
            if self._clock() - started > PATIENCE:
                return False
            self._sleep(pause)
            pause = min(pause * 1.5, 10.0)
        return True

    def wait(self, title: str, operation: Any, base: str) -> None:
        """Wait for a long-running operation of either dialect; `base` comes before its name.

        Raises:
            InstallError: It failed, or had not ended after an hour.
        """
        started, pause = self._clock(), 0.2
        while not (operation.get("done") or operation.get("status") == "DONE"):
            if self._clock() - started > OPERATION_BUDGET:
                raise InstallError(f"{title}: the operation had not ended after an hour")
            self._sleep(pause)
            pause = min(pause * 1.5, 10.0)
            operation = self.send("GET", base + operation["name"])
        if operation.get("error"):
            raise operation_failed(title, operation["error"])


def _once(line: requests.Session, request: requests.Request, seconds: int) -> Answer:
    """Send a request once; status 0 stands for no answer, or half of one."""
    try:
        reply = line.request(
            request.method,
            request.url,
            data=request.data,
            headers=request.headers,
            timeout=seconds,
        )
    except _NO_ANSWER as error:
        why = _QUERY.sub("", f"{request.method} {request.url} cannot be reached: {error}")
        return Answer(0, why)
    try:
        return Answer(reply.status_code, reply.json() if reply.content else {})
    except ValueError:
        return Answer(reply.status_code, reply.text)
