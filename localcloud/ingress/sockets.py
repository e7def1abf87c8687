"""WebSockets on their way to a container: opened there, and every message handed on both ways."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from localcloud.asgi import Message, Receive, Send
    from localcloud.ingress.turned import Headers
    from localcloud.ingress.visit import Visit


_SWITCHING = 101
_NORMAL, _GOING_AWAY = 1000, 1001
# The handshake with the container is another one, with headers of its own.
_OF_HANDSHAKE = frozenset({"host", "content-length"})


async def relay(visit: Visit, protocols: list[str], receive: Receive, send: Send) -> int:
    """Open the socket at the instance and hand messages on until either side has enough."""
    headers = [
        (name, value)
        for name, value in visit.headers
        if name.lower() not in _OF_HANDSHAKE and not name.lower().startswith("sec-websocket-")
    ]
    host = next(value for name, value in visit.headers if name.lower() == "host")
    try:
        inner = await connect(
            f"ws://{host}{visit.path}",
            host="127.0.0.1",
            port=visit.instance.port,
            additional_headers=headers,
            subprotocols=protocols or None,  # type: ignore[arg-type]  # a NewType of str
            user_agent_header=None,
            compression=None,
            max_size=None,
            ping_interval=None,
            proxy=None,
        )
    except (OSError, InvalidHandshake, TimeoutError) as error:
        raise visit.broken() from error
    await receive()  # the client's wish to connect
    await send({"type": "websocket.accept", "subprotocol": inner.subprotocol})
    inward = asyncio.create_task(_inward(inner, receive))
    outward = asyncio.create_task(_outward(inner, send))
    try:
        async with asyncio.timeout(visit.timeout):
            await asyncio.wait({inward, outward}, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        # a socket is a request, and ends with the request timeout
        await send({"type": "websocket.close", "code": _GOING_AWAY})
    finally:
        inward.cancel()
        outward.cancel()
        await asyncio.gather(inward, outward, return_exceptions=True)
        await inner.close()
    return _SWITCHING


async def _inward(inner: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await inner.close(message.get("code") or _NORMAL, message.get("reason") or "")
            return
        text = message.get("text")
        await inner.send(text if text is not None else message.get("bytes", b""))


async def _outward(inner: ClientConnection, send: Send) -> None:
    try:
        async for message in inner:
            kind = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", kind: message})
    except ConnectionClosed:
        pass  # its code says why, and goes on below
    await send({"type": "websocket.close", "code": inner.close_code or _NORMAL})


async def deny(scope: Message, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Refuse a socket with a page, as far as the server can send one."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": _NORMAL})
        return
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "websocket.http.response.start", "status": status, "headers": fields})
    await send({"type": "websocket.http.response.body", "body": body})
