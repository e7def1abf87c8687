"""How googleapiclient's calls travel: over requests, and each exactly once.

Its own transport, httplib2, sends a POST a second time when the connection breaks before the answer,
whatever it is told. A second addVersion makes a second version of a secret, so that will not do:
whoever may repeat a call says so with ``num_retries``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.auth.credentials import Credentials
    from httplib2 import Response

_TIMEOUT = 60.0


class Transport:
    """What googleapiclient takes for an ``httplib2.Http``.

    Args:
        credentials: Who calls. googleapiclient looks at them, too.
    """

    def __init__(self, credentials: Credentials) -> None:
        from google.auth.transport.requests import AuthorizedSession

        self.credentials = credentials
        # Any: google-auth ships types for its classes and none for their methods.
        self._session: Any = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[Response, bytes]:
        """Send one request and return its answer as httplib2 would.

        Raises:
            ConnectionError: The answer did not come; googleapiclient knows this one.
        """
        import httplib2
        import requests

        try:
            answer = self._session.request(
                method,
                uri,
                data=body,
                headers=dict(headers or {}),
                timeout=_TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise ConnectionError(str(error)) from error
        found = httplib2.Response({**answer.headers, "status": str(answer.status_code)})
        found.reason = answer.reason
        return found, answer.content

    def close(self) -> None:
        """Let go of the connections."""
        self._session.close()
