"""Calls Google's APIs as the account this server runs as, and says in words what went wrong."""

import json
import threading
from collections.abc import Mapping
from xml.etree.ElementTree import ParseError, fromstring

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from requests.adapters import HTTPAdapter
from urllib3 import Retry

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
"""MLflow's own client asks for the scopes of storage alone, and those do not sign."""

AT_ONCE = 16
"""How many calls are under way at the same time, each on a connection that is kept."""

TIMEOUT = 20
UNAVAILABLE = 503
PASSING = frozenset([408, 429, 500, 502, 503, 504])


class GoogleApiError(Exception):
    """Google did not do what it was asked; the message is for people.

    Args:
        status: Of Google's answer; 503 when there was none, or one that will pass.
        message: What was asked, of whom, and why it was refused.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = UNAVAILABLE if status in PASSING else status


class Account:
    """The account this server runs as; for many threads."""

    def __init__(self) -> None:
        try:
            self._credentials, _ = google.auth.default(scopes=[SCOPE])
        except GoogleAuthError as error:
            raise GoogleApiError(UNAVAILABLE, f"this server has no account: {error}") from error
        # What is called can be called twice; a try costs less than the client's, which waits.
        again = Retry(
            total=3, backoff_factor=0.3, status_forcelist=PASSING, allowed_methods=None,
            raise_on_status=False, respect_retry_after_header=False,
        )  # fmt: skip
        self._session = requests.Session()
        self._session.mount("https://", HTTPAdapter(pool_maxsize=AT_ONCE, max_retries=again))
        self._lock = threading.Lock()

    @property
    def email(self) -> str:
        """The account's address."""
        self._token()  # until the first token it is called "default"
        return str(self._credentials.service_account_email)

    def post(
        self, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> requests.Response:
        """Call an API.

        Raises:
            GoogleApiError: It was refused, or could not be reached.
        """
        return self._call("POST", url, headers or {}, body)

    def delete(self, url: str) -> requests.Response:
        """Remove something.

        Raises:
            GoogleApiError: It was refused, or could not be reached.
        """
        return self._call("DELETE", url, {}, b"")

    def _call(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> requests.Response:
        host = url.split("/")[2]
        known = {**headers, "Authorization": f"Bearer {self._token()}"}
        try:
            answer = self._session.request(
                method, url, headers=known, data=body, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            message = f"{host} cannot be reached: {type(error).__name__}"
            raise GoogleApiError(UNAVAILABLE, message) from error
        if not answer.ok:
            raise GoogleApiError(answer.status_code, f"{host} answered {_said(answer)}")
        return answer

    def _token(self) -> str:
        with self._lock:  # one thread fetches, the others wait for it
            if not self._credentials.valid:
                try:
                    self._credentials.refresh(Request())
                except GoogleAuthError as error:
                    message = f"this server gets no token for its account: {error}"
                    raise GoogleApiError(UNAVAILABLE, message) from error
            return str(self._credentials.token)


def _said(answer: requests.Response) -> str:
    """Return the status and the sentence of a refusal: JSON of most APIs, XML of Cloud Storage's."""
    try:
        message = json.loads(answer.content)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        try:
            found = fromstring(answer.content)  # noqa: S314 - Google's own answer
            message = ": ".join(
                found.findtext(f"{{*}}{name}") or "" for name in ("Code", "Message")
            )
        except ParseError:
            message = answer.text[:300]
    return f"{answer.status_code}: {message}"
