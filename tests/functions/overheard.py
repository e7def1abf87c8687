"""A cloud's pipeline that remembers what Google's APIs were sent, for a judge who knows none of ours."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from localcloud.pipeline import Pipeline
from tests.planner import discovery

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.transport import Request, Response

OF_EVERY_METHOD = {"alt", "prettyPrint"}
"""Parameters that Google's clients add to any call."""


class Sent(NamedTuple):
    """One call with a JSON body."""

    method: str
    url: str
    body: Any


class Overheard(Pipeline):
    """Answers as ever, and keeps every body."""

    def __init__(self, cloud: Cloud) -> None:
        """Listen in `cloud`."""
        super().__init__(cloud)
        self.sent: list[Sent] = []
        self.urls: list[str] = []
        """Of every request, with or without a message."""

    def handle(self, request: Request) -> Response:
        """Remember one request and answer it."""
        self.urls.append(request.url)
        # An upload's body is its content, and no message of the API.
        if request.body and "/upload/" not in request.url:
            self.sent.append(Sent(request.method, request.url, json.loads(request.body)))
        return super().handle(request)

    def bodies(self, pattern: str) -> list[Any]:
        """Return the bodies sent to such addresses; there is one at least."""
        found = [one.body for one in self.sent if re.search(pattern, one.url)]
        assert found, pattern
        return found

    def judged(self) -> set[str]:
        """Hold everything against Google's discovery documents; return the methods' ids."""
        return {discovery.check(one.method, _bare(one.url), one.body) for one in self.sent}


def _bare(url: str) -> str:
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in OF_EVERY_METHOD]
    return parts._replace(query=urlencode(query)).geturl()
