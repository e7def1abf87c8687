"""The door: a CONNECT proxy that ends TLS for Google's host names and passes on plain bytes.

A client that cannot use a proxy but can be given an endpoint gets in without either: what it asks
for as ``http://127.0.0.1:PORT/PATH`` is passed on too, see http_door.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import ssl
import sys
from typing import TYPE_CHECKING

from localcloud.doors.insiders import Insiders, UnknownNetworkError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from localcloud.domains.certificates import Authority

log = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Only Linux has it; elsewhere a request takes a little longer."""
_KEEPS_ADDRESS = sys.platform == "linux"
"""Elsewhere only 127.0.0.1 is this machine's own."""
_CONNECT = re.compile(rb"CONNECT \[?([^\s\]]+?)\]?:(\d+) HTTP/1\.[01]\r\n")
_BROWSER = re.compile(
    rb"[A-Z]+ /[^\r\n]* HTTP/1\.[01]\r\n(?:[^\r\n]+\r\n)*?"
    rb"host: (?:127\.0\.0\.1|localhost)(?::\d+)?\r\n",
    re.IGNORECASE,
)
"""Asks the door itself: a browser for the status page, or a client that can use no proxy."""


_LOOPBACK = re.compile(
    rb"(?:GET|HEAD) http://(?:127\.0\.0\.1|localhost):(\d+)/[^\r\n]* HTTP/1\.[01]\r\n"
)
"""A client that sends its questions to the metadata server through the proxy as well, as gcloud."""


class Door:
    """Every host is let in that some part of the local cloud answers for; others are refused."""

    def __init__(
        self,
        authority: Authority,
        *,
        serves: Callable[[str], bool],
        metadata: Callable[[int], bool] = lambda _: False,
        way: Callable[[str, int], tuple[str, int] | None] = lambda _, __: None,
        insiders: Insiders | None = None,
    ) -> None:
        """Use certificates of ``authority``; ``serves`` tells which hosts exist here.

        ``metadata`` tells which ports of loopback are metadata servers, ``way`` where others
        listen that end TLS themselves; ``insiders`` is told who comes from inside a VPC network.
        """
        self._authority = authority
        self._insiders = insiders or Insiders(tuple)
        self._way = way
        self._serves = serves
        self._metadata = metadata
        self._server: asyncio.Server | None = None
        self._http = 0
        self._grpc: Callable[[str], Awaitable[int]] | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self, *, port: int, http: int, grpc: Callable[[str], Awaitable[int]]) -> int:
        """Listen on loopback (any free port for 0) and give the port; *grpc* tells a host's."""
        self._http, self._grpc = http, grpc
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", port, limit=_CHUNK)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.debug("a connection ended early", exc_info=True)
        except asyncio.CancelledError:
            # close() cuts us; nobody awaits the outcome
            log.debug("a connection was cut")
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        found = _CONNECT.match(head)
        if found is None and _BROWSER.match(head):
            await self._forward(self._http, reader, writer, head)
            return
        loopback = _LOOPBACK.match(head)
        if loopback is not None and self._metadata(int(loopback[1])):
            await self._forward(int(loopback[1]), reader, writer, head)
            return
        if found is None:
            await _refuse(writer, "405 Method Not Allowed", "this proxy knows CONNECT only")
            return
        try:
            network = self._insiders.asked(head)
        except UnknownNetworkError as error:
            # most clients show the reason alone
            await _refuse(
                writer,
                f"407 {error}",
                str(error),
                headers='Proxy-Authenticate: Basic realm="VPC network"\r\n',
            )
            return
        host = found[1].decode("latin-1").lower()
        if found[2] != b"443" or not self._serves(host):
            place = self._way(host, int(found[2]))
            if place is not None:
                await self._tunnel(place, reader, writer)
                return
            await _refuse(writer, "502 Bad Gateway", f"the local cloud has no host {host}")
            return
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._authority.context(host), ssl_handshake_timeout=30)
        chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        port = self._http
        if chosen == "h2" and self._grpc is not None:
            port = await self._grpc(host)
        await self._forward(port, reader, writer, network=network)

    async def _tunnel(
        self, place: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Let the two talk; whoever listens sees the client's own address."""
        own = writer.get_extra_info("peername")[0]
        inner_reader, inner_writer = await asyncio.open_connection(
            *place, local_addr=(own, 0), limit=_CHUNK
        )
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await pipe(reader, writer, inner_reader, inner_writer)
        finally:
            inner_writer.transport.abort()

    async def _forward(
        self,
        port: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        said: bytes = b"",
        *,
        network: str | None = None,
    ) -> None:
        """Let the two talk until one is through; *said* is what was read already."""
        # From the client's own address, so that firewalls behind see it: any of 127.0.0.0/8.
        peer = writer.get_extra_info("peername")[0]
        own = (peer, 0) if _KEEPS_ADDRESS else None
        inner_reader, inner_writer = await asyncio.open_connection(
            "127.0.0.1", port, limit=_CHUNK, local_addr=own
        )
        place = inner_writer.get_extra_info("sockname")[:2]
        self._insiders.enter(place, network)
        try:
            inner_writer.write(said)
            await pipe(reader, writer, inner_reader, inner_writer)
        finally:
            self._insiders.leave(place)
            inner_writer.transport.abort()


async def pipe(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner_reader: asyncio.StreamReader,
    inner_writer: asyncio.StreamWriter,
) -> None:
    """Pass bytes both ways until either side is through."""
    inward = asyncio.create_task(_copy(reader, inner_writer, acknowledge=writer))
    outward = asyncio.create_task(_copy(inner_reader, writer))
    try:
        # TLS has no half-close: once either side is through, the conversation is over
        await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        inward.cancel()
        outward.cancel()
        await asyncio.gather(inward, outward, return_exceptions=True)
    if not outward.cancelled() and outward.exception() is None:
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 5)


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    acknowledge: asyncio.StreamWriter | None = None,
) -> None:
    tcp = acknowledge.get_extra_info("socket") if acknowledge is not None else None
    while chunk := await reader.read(_CHUNK):
        if tcp is not None and _QUICK_ACK is not None:
            # Behind a proxy, Python's clients send headers and body apart, and the body only once
            # the headers are acknowledged, which the kernel puts off for 40 ms. Not a lasting
            # option: the kernel forgets it with the next answer.
            tcp.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        writer.write(chunk)
        await writer.drain()


async def _refuse(
    writer: asyncio.StreamWriter, status: str, why: str, *, headers: str = ""
) -> None:
    body = why.encode() + b"\n"
    writer.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        f"{headers}Connection: close\r\n\r\n".encode()
        + body
    )
    await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
