"""The installer's connection to a local cloud in the same process, on its clock."""

from collections.abc import Mapping
from typing import Any

import requests
from google.oauth2.credentials import Credentials
from requests.adapters import BaseAdapter

from install.session import Session
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud, ConnectionFailed

OWNER = "owner@example.com"
A_WEEK = 7 * 24 * 3600


class InProcess(BaseAdapter):
    """Carries requests to a cloud without a network."""

    def __init__(self, cloud: Cloud) -> None:
        """Carry to `cloud`."""
        super().__init__()
        self._cloud = cloud

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002 - the signature of requests
        timeout: Any = None,  # noqa: ARG002 - the signature of requests
        verify: Any = True,  # noqa: ARG002 - the signature of requests
        cert: Any = None,  # noqa: ARG002 - the signature of requests
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - the signature of requests
    ) -> requests.Response:
        """Make the request; a connection that would break breaks."""
        body = request.body or b""
        try:
            answer = self._cloud.request(
                request.method or "GET",
                request.url or "",
                headers=dict(request.headers),
                body=body.encode() if isinstance(body, str) else body,
            )
        except ConnectionFailed as error:
            raise requests.ConnectionError(str(error)) from error
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response._content = answer.body
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        """Hold nothing, so let nothing go."""


def session(cloud: Cloud, email: str = OWNER) -> Session:
    """Return a session of `email` with the cloud; waiting moves the cloud's clock."""
    assert isinstance(cloud.clock, VirtualClock)
    token = cloud.tokens.access_token(email, lifetime=A_WEEK)
    return Session(
        Credentials(token=token),  # type: ignore[no-untyped-call]  # google-auth ships no types
        sleep=cloud.clock.advance,
        clock=cloud.clock.now,
        transport=InProcess(cloud),
    )
