"""The way from a socket to a container: streams both ways, never holds a whole body."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from localcloud.ingress import sockets
from localcloud.ingress.turned import Turned
from localcloud.ingress.visit import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from localcloud.asgi import Message, Receive, Scope, Send
    from localcloud.ingress import Ingress
    from localcloud.ingress.hosts import Route
    from localcloud.ingress.turned import Headers
    from localcloud.ingress.visit import Balanced, Visit


_CONNECT_SECONDS = 10.0
_MOUNTED_SECONDS = 300.0
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})


class _TooLargeError(Exception):
    """More than 32 MiB came in a request that did not say its length."""


@dataclass(frozen=True)
class _Request:
    method: str
    host: str
    target: str  # path and query, as they came
    headers: Headers
    client: str | Balanced
    inside: bool  # whether it comes from one of the project's VPC networks


class Forwarder:
    """An ASGI application that hands requests to instances."""

    def __init__(self, ingress: Ingress) -> None:
        """Ask *ingress* about every request."""
        self._ingress = ingress
        # Waiting for an instance takes as long as a cold start; it must not hold up the loop.
        self._threads = ThreadPoolExecutor(64, thread_name_prefix="ingress")
        self._clients: dict[int, httpx.AsyncClient] = {}
        # Every request is in the request log already.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    def close(self) -> None:
        """Let go of the waiting threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or one WebSocket, which begins as one."""
        socket = scope["type"] == "websocket"
        headers = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        host = next((value for name, value in headers if name == "host"), "").partition(":")[0]
        raw = scope.get("raw_path") or scope["path"].encode()
        target = raw.decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        # a load balancer in front says where the request goes and who is behind it
        client = scope.get("localcloud.balanced") or (scope.get("client") or ("127.0.0.1", 0))[0]
        began = time.monotonic()
        method = "GET" if socket else scope["method"]
        inside = self._ingress.is_inside(scope.get("client"))
        request = _Request(method, host, target, headers, client, inside)
        note = ""
        try:
            if socket:
                status, route = await self._socket(request, scope, receive, send)
            else:
                status, route = await self._serve(request, receive, send)
        except Turned as turned:
            status, route, note = turned.status, turned.route, turned.log
            if socket:
                await sockets.deny(scope, send, turned.status, turned.headers, turned.body)
            else:
                await _answer(send, turned.status, turned.headers, turned.body)
        url = f"https://{host}{target}"
        await self._off_loop(
            lambda: self._ingress.reception.record(
                route, method, url, status=status, began=began, note=note
            )
        )

    async def _socket(
        self, request: _Request, scope: Scope, receive: Receive, send: Send
    ) -> tuple[int, Route | None]:
        visit = await self._off_loop(
            lambda: self._ingress.reception.enter(
                request.host,
                request.target,
                request.headers,
                client=request.client,
                inside=request.inside,
            )
        )
        try:
            protocols = list(scope.get("subprotocols") or [])
            return await sockets.relay(visit, protocols, receive, send), visit.route
        finally:
            await self._off_loop(visit.leave)

    async def _serve(
        self, request: _Request, receive: Receive, send: Send
    ) -> tuple[int, Route | None]:
        host, target, headers = request.host, request.target, request.headers
        if self._ingress.is_mounted(host, request.client):
            body = b"".join([chunk async for chunk in _chunks(receive, None)])
            answer, _ = await self._off_loop(
                lambda: self._ingress.answer(
                    request.method,
                    host,
                    target,
                    dict(headers),
                    body,
                    _MOUNTED_SECONDS,
                    client=request.client,
                    inside=request.inside,
                )
            )
            await _answer(send, answer.status, list(answer.headers.items()), answer.body)
            return int(answer.status), None
        visit = await self._off_loop(
            lambda: self._ingress.reception.enter(
                host,
                target,
                headers,
                client=request.client,
                method=request.method,
                inside=request.inside,
            )
        )
        try:
            return await self._forward(visit, request.method, receive, send), visit.route
        finally:
            await self._off_loop(visit.leave)

    async def _forward(self, visit: Visit, method: str, receive: Receive, send: Send) -> int:
        names = {name.lower() for name, _ in visit.headers}
        empty = method in _BODYLESS and "content-length" not in names
        limit = None if visit.whole else MOST_BYTES
        request = self._client().build_request(
            method,
            visit.address + visit.path,
            headers=visit.headers,
            content=None if empty else _chunks(receive, limit),
        )
        begun = False
        try:
            async with asyncio.timeout(visit.timeout):
                answer = await self._client().send(request, stream=True)
                try:
                    headers = visit.check_answer(answer.headers.multi_items())
                    await send(_start(answer.status_code, headers))
                    begun = True
                    async for chunk in answer.aiter_raw():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError, _TooLargeError) as error:
            if begun:
                raise  # the connection breaks off: the client must not take this for the end
            raise await self._off_loop(partial(_turned, visit, error)) from error
        return int(answer.status_code)

    def _client(self) -> httpx.AsyncClient:
        loop = id(asyncio.get_running_loop())
        if loop not in self._clients:
            # No connection is kept: servers close idle ones at will, and a request that meets
            # a closing connection could not be sent again.
            self._clients[loop] = httpx.AsyncClient(
                timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
                limits=httpx.Limits(max_keepalive_connections=0),
                trust_env=False,
                follow_redirects=False,
                headers={},
            )
            self._clients[loop].headers.clear()
        return self._clients[loop]

    async def _off_loop(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _turned(visit: Visit, error: Exception) -> Turned:
    if isinstance(error, TimeoutError):
        return visit.too_slow()
    return visit.too_large() if isinstance(error, _TooLargeError) else visit.broken()


async def _chunks(receive: Receive, limit: int | None) -> AsyncIterator[bytes]:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        chunk = message.get("body", b"")
        size += len(chunk)
        if limit is not None and size > limit:
            raise _TooLargeError
        if chunk:
            yield chunk
        if not message.get("more_body"):
            return


def _start(status: int, headers: Headers) -> Message:
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": body, "more_body": False})
