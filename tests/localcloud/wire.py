"""Google's own discovery client over the local cloud in this process: no door, no TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httplib2
from googleapiclient import discovery

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

OWNER = "owner@example.com"


class Wire:
    """What googleapiclient takes for an httplib2.Http."""

    def __init__(self, cloud: Cloud, email: str) -> None:
        """Speak as one identity."""
        self._cloud = cloud
        self._email = email

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: dict[str, str] | None = None,
        redirections: int = 5,
        connection_type: object = None,
    ) -> tuple[httplib2.Response, bytes]:
        """Make the request in-process."""
        del redirections, connection_type
        token = self._cloud.tokens.access_token(self._email)
        sent = {**(headers or {}), "authorization": f"Bearer {token}"}
        data = body.encode() if isinstance(body, str) else body or b""
        answer = self._cloud.request(method, uri, headers=sent, body=data)
        found = httplib2.Response({**answer.headers, "status": str(answer.status)})
        return found, answer.body

    def close(self) -> None:
        """Close nothing."""


def client(cloud: Cloud, api: str, version: str, email: str = OWNER) -> Any:
    """Build Google's client for one API, as one identity."""
    return discovery.build(api, version, http=Wire(cloud, email), static_discovery=True)
