"""The HTTP side of the door: an ASGI application that hands requests to whoever answers them."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from localcloud.domains.public_dns import HOST as PUBLIC_DNS
from localcloud.domains.public_dns import PublicDns
from localcloud.doors import endpoint
from localcloud.doors.uploads import Spool, is_upload
from localcloud.errors import ApiError
from localcloud.page import HOSTS as PAGE_HOSTS
from localcloud.pipeline import MOST_JSON
from localcloud.transport import ConnectionFailed, Download, Request, Response, json_response

if TYPE_CHECKING:
    from localcloud.asgi import Receive, Scope, Send
    from localcloud.cloud import Cloud
    from localcloud.doors.control import Control
    from localcloud.identity.issuer import Issuer
    from localcloud.page import Page


log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_WORKERS = 128
_WITHOUT_BODY = frozenset({204, 304})


class Protocol(HttpToolsProtocol):
    """Uvicorn's protocol, showing the application its connection so that a reply can be lost."""

    def on_headers_complete(self) -> None:
        """Put the connection into the scope before the application sees it."""
        self.scope["localcloud.transport"] = self.transport  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()


class HttpDoor:
    """Sorts requests by host: run.app to the ingress, Google's issuer, APIs to the pipeline."""

    def __init__(self, cloud: Cloud, issuer: Issuer, control: Control, page: Page) -> None:
        """Serve one cloud."""
        self._cloud = cloud
        self._page = page
        self._issuer = issuer
        self._control = control
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="http")

    def close(self) -> None:
        """Let the workers go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI has it."""
        host = _host(scope)
        if host in PAGE_HOSTS and scope["type"] == "http":
            host = self._meant(scope) or host
        if self._cloud.is_ingress(host):
            await self._cloud.ingress.asgi(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = _request(scope, host)
        try:
            response = await self._respond(request, receive)
        except ConnectionFailed:
            await _hang_up(scope, receive)
            return
        except _GoneError:
            return
        await _send(response, request.method, send)

    def _meant(self, scope: Scope) -> str | None:
        """Find the API in a request to the door itself, and leave the path its API knows."""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        found = endpoint.meant(self._cloud.router, path.partition("?")[0])
        if found is None:
            return None
        scope["raw_path"] = found[1].encode("latin-1")
        return found[0]

    async def _respond(self, request: Request, receive: Receive) -> Response:
        loop = asyncio.get_running_loop()
        if request.host == self._control.host:
            request.body = await _read(receive)
            return await loop.run_in_executor(self._pool, self._control.handle, request)
        if request.host in PAGE_HOSTS:
            return await loop.run_in_executor(self._pool, self._page.handle, request)
        if self._issuer.handles(request.host, request.path):
            request.body = await _read(receive)
            return await loop.run_in_executor(self._pool, self._issuer.handle, request)
        if request.host == PUBLIC_DNS:
            answer = PublicDns(self._cloud.resolver).handle
            return await loop.run_in_executor(self._pool, answer, request)
        pipeline = self._cloud.pipeline
        route = pipeline.route(request)
        if route is not None and is_upload(request, route):
            try:
                await self._spool(request, receive)
            except ApiError as error:
                return json_response(error.code, error.render(route.service.errors))
        else:
            request.body = await _read(receive)
        return await loop.run_in_executor(self._pool, pipeline.handle, request)

    async def _spool(self, request: Request, receive: Receive) -> None:
        spool = Spool(self._cloud.pipeline.spool_folder, request.headers)
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError  # noqa: TRY301 - the file goes the same way as for errors
                spool.feed(message.get("body", b""))
                more = message.get("more_body", False)
            request.upload = spool.finish()
        except BaseException:  # whatever it was, nobody asks for the file any more
            spool.discard()
            raise


class _GoneError(Exception):
    """The client hung up before its request was complete."""


def _host(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            return str(value.decode("latin-1")).partition(":")[0].lower()
    return ""


def _request(scope: Scope, host: str) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    url = f"https://{host}{path.decode('latin-1').partition('?')[0]}"
    return Request(scope["method"], f"{url}?{query.decode('latin-1')}" if query else url, headers)


async def _read(receive: Receive) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        # an oversized body is drained but not kept; the pipeline refuses it by its length
        if len(body) <= MOST_JSON:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _send(response: Response, method: str, send: Send) -> None:
    download = response.download
    size = len(response.body) if download is None else download.size
    names = {name.lower() for name in response.headers}
    headers = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1", "replace"))
        for name, value in response.headers.items()
    ]
    if "content-length" not in names and response.status not in _WITHOUT_BODY:
        headers.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if method == "HEAD":
        await send({"type": "http.response.body", "body": b""})
    elif download is None:
        await send({"type": "http.response.body", "body": response.body})
    else:
        await _stream(download, send)


async def _stream(download: Download, send: Send) -> None:
    left = download.size
    if isinstance(download.source, Path):
        # the page cache answers in microseconds; a thread per chunk would cost more than it saves
        with download.source.open("rb") as file:
            file.seek(download.start)
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    else:
        await send({"type": "http.response.body", "body": download.read(), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    scope["localcloud.transport"].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
