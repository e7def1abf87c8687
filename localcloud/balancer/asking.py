"""What comes to a load balancer, and what it answers by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.store import Resource

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Asked:
    """A request as it came to a forwarding rule."""

    rule: Resource
    method: str
    host: str
    target: str
    headers: Headers
    client: str
    client_port: int = 0

    @property
    def port(self) -> int:
        """The port it came to."""
        return int(self.rule["portRange"].partition("-")[0])

    @property
    def scheme(self) -> str:
        """How it came."""
        return "https" if "/targetHttpsProxies/" in self.rule["target"] else "http"

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]


class Answered(Exception):  # noqa: N818 - an answer, not an error of ours
    """The load balancer answers by itself; nobody behind it hears of the request."""

    def __init__(
        self,
        status: int,
        body: str | bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the answer; it is a page unless the headers say otherwise."""
        super().__init__(status)
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        kind = {"content-type": "text/html; charset=UTF-8"} if body else {}
        self.headers: Headers = list({**kind, **(headers or {})}.items())
