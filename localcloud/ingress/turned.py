"""The exception that ends a request at the front end, with what the client gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.ingress import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.ingress.hosts import Route

Headers = list[tuple[str, str]]


class Turned(Exception):  # noqa: N818 - an answer, not an error of ours
    """The request does not reach the container; this is what the client gets."""

    def __init__(
        self,
        status: int,
        path: str,
        *,
        route: Route | None = None,
        log: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(log)
        self.route = route
        self.status = status
        self.log = log
        given = dict(headers or {})
        if body is None:
            given["content-type"], body = pages.answer(status, path)
        self.body = body
        self.headers: Headers = [("content-length", str(len(self.body))), *given.items()]
