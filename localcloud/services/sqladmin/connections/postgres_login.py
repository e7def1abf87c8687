"""How a connection to PostgreSQL begins, as far as the gateway must understand it."""

from __future__ import annotations

import struct
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from localcloud.services.sqladmin.connections.iam_login import Guest, Streams

CANCEL, SSL, GSS = 80877102, 80877103, 80877104
LONGEST = 100_000
ASK_PASSWORD = struct.pack("!cii", b"R", 8, 3)
SASL, SASL_CONTINUE, SASL_FINAL = 10, 11, 12


async def admitted(guest: Guest, streams: Streams) -> bool:
    """Do what must be done before bytes go through as they are; False when there is no more to do."""
    startup = await _startup(streams)
    if startup is None:
        return False
    user = _parameters(startup).get("user", "")
    if guest.iam_user(user) is None:
        streams.inner_writer.write(startup)
        return True
    token = guest.token()
    if token is None:
        streams.writer.write(ASK_PASSWORD)
        await streams.writer.drain()
        kind, payload = await _message(streams.reader)
        if kind != b"p":
            return False
        token = payload.rstrip(b"\0").decode("utf-8", "replace")
    if not guest.may_login(user, token):
        await _refuse(guest, user, streams)
        return False
    streams.inner_writer.write(startup)
    return await _log_in(user, guest.password(user), streams)


async def _startup(streams: Streams) -> bytes | None:
    """Read the startup message; offers of encryption are declined, there is TLS already."""
    while True:
        head = await streams.reader.readexactly(8)
        size, code = struct.unpack("!ii", head)
        if not 8 <= size <= LONGEST:  # noqa: PLR2004 - the head itself
            return None
        whole = head + await streams.reader.readexactly(size - 8)
        if code == CANCEL:
            streams.inner_writer.write(whole)
            await streams.inner_writer.drain()
            return None
        if code not in {SSL, GSS}:
            return whole
        streams.writer.write(b"N")
        await streams.writer.drain()


def _parameters(startup: bytes) -> dict[str, str]:
    parts = [part.decode("utf-8", "replace") for part in startup[8:].split(b"\0")]
    return dict(zip(parts[::2], parts[1::2], strict=False))


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    size = struct.unpack("!i", head[1:])[0]
    if not 4 <= size <= LONGEST:  # noqa: PLR2004 - the length counts itself
        raise ConnectionError("no message of PostgreSQL's protocol")
    return head[:1], await reader.readexactly(size - 4)


async def _log_in(user: str, password: str, streams: Streams) -> bool:
    """Answer the server's SCRAM exchange in the client's place, then tell him that he is in."""
    # not at the top: a cloud at rest does without it
    client = import_module("scramp").ScramClient(["SCRAM-SHA-256"], user, password)
    while True:
        kind, payload = await _message(streams.inner_reader)
        code = struct.unpack("!i", payload[:4])[0] if kind == b"R" else -1
        if code == SASL:
            first = client.get_client_first().encode()
            body = b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
        elif code == SASL_CONTINUE:
            client.set_server_first(payload[4:].decode())
            body = client.get_client_final().encode()
        elif code == SASL_FINAL:
            client.set_server_final(payload[4:].decode())
            continue
        else:
            # in, or refused for another reason, such as too many connections
            streams.writer.write(kind + struct.pack("!i", len(payload) + 4) + payload)
            await streams.writer.drain()
            if code == 0 or kind == b"E":
                return code == 0
            continue
        streams.inner_writer.write(b"p" + struct.pack("!i", len(body) + 4) + body)
        await streams.inner_writer.drain()


async def _refuse(guest: Guest, user: str, streams: Streams) -> None:
    words = f'Cloud SQL IAM {guest.kind(user)} authentication failed for user "{user}"'
    fields = {"S": "FATAL", "V": "FATAL", "C": "28P01", "M": words}
    body = b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items()) + b"\0"
    streams.writer.write(b"E" + struct.pack("!i", len(body) + 4) + body)
    await streams.writer.drain()
    streams.writer.close()
    await streams.writer.wait_closed()
