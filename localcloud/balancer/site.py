"""What answers on one forwarding rule: an ASGI application in front of the ingress."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from localcloud.balancer import front
from localcloud.balancer.asking import Answered, Asked
from localcloud.ingress import sockets

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from localcloud.asgi import Message, Receive, Scope, Send
    from localcloud.balancer.asking import Headers
    from localcloud.balancer.front import Passage
    from localcloud.cloud import Cloud


_SWITCHING = 101


class Site:
    """Answers for one forwarding rule, by its key."""

    def __init__(self, cloud: Cloud, rule: str, workers: Executor) -> None:
        """Decide on ``workers``: what is decided by is in the store."""
        self._cloud = cloud
        self._rule = rule
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        asked = self._asked(scope)
        if asked is None:
            await _answer(scope, send, 404, [], b"")
            return
        began, passage = time.monotonic(), front.Passage()
        status = [_SWITCHING]
        try:
            await self._off_loop(front.decide, self._cloud, asked, passage)
        except Answered as answered:
            status[0] = answered.status
            headers = [*answered.headers, ("via", front.VIA)]
            await _answer(scope, send, answered.status, headers, answered.body)
        else:
            given = {
                **scope,
                "headers": _encoded(passage.headers),
                "localcloud.balanced": passage.balanced,
            }
            answering = _answering(passage, status, send)
            await self._cloud.ingress.asgi(given, receive, answering)
        await self._off_loop(log, self._cloud, asked, passage, status[0], began)

    def _asked(self, scope: Scope) -> Asked | None:
        rule = self._cloud.store.of("compute").find(self._rule)
        if rule is None:
            return None
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        host = next((value for name, value in headers if name == "host"), "")
        target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        client = scope.get("client") or ("0.0.0.0", 0)  # noqa: S104 - an unknown address
        return Asked(
            rule=rule,
            method=scope.get("method", "GET"),
            host=host.partition(":")[0].lower(),
            target=target,
            headers=headers,
            client=client[0],
            client_port=client[1],
        )

    async def _off_loop(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *given)


def log(cloud: Cloud, asked: Asked, passage: Passage, status: int, began: float) -> None:
    """Write the request into the log, if the backend service wants that."""
    if (passage.backend or {}).get("logConfig", {}).get("enable"):
        seconds = time.monotonic() - began
        cloud.log(front.entry(cloud, asked, passage, status, seconds))


def _answering(passage: Passage, status: list[int], send: Send) -> Send:
    added = _encoded([("via", front.VIA), ("date", formatdate(usegmt=True)), *passage.added])

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            status[0] = message["status"]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return answer


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def _answer(scope: Scope, send: Send, status: int, headers: Headers, body: bytes) -> None:
    own = [("content-length", str(len(body))), ("date", formatdate(usegmt=True))]
    whole = [*headers, *own]
    if scope["type"] == "websocket":
        await sockets.deny(scope, send, status, whole, body)
        return
    await send({"type": "http.response.start", "status": status, "headers": _encoded(whole)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
