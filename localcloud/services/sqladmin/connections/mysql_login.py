"""How a connection to MySQL begins, as far as the gateway must understand it.

The server speaks first. Users with passwords answer it themselves; for an IAM user the gateway asks
the client for his token (the plugin ``mysql_clear_password``, as Cloud SQL does) and answers the server
in his place. Packets are numbered, so the server's last word is numbered anew for the client.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from localcloud.services.sqladmin.connections.iam_login import Guest, Streams

LONGEST = 100_000
FIXED = 32
WITH_DATABASE, SECURE, PLUGINS = 0x8, 0x8000, 0x80000
ATTRIBUTES, LONG_AUTH = 0x100000, 0x200000
NATIVE = b"mysql_native_password"
ASK_PASSWORD = b"\xfemysql_clear_password\0"
OK, SWITCH, REFUSED = 0x00, 0xFE, 0xFF
ACCESS_DENIED = 1045


async def admitted(guest: Guest, streams: Streams) -> bool:
    """Do what must be done before bytes go through as they are; False when there is no more to do."""
    number, greeting = await _packet(streams.inner_reader)
    streams.writer.write(_numbered(number, greeting))
    await streams.writer.drain()
    if greeting[:1] == bytes([REFUSED]):
        return False
    number, answer = await _packet(streams.reader)
    user = _user(answer)
    if user is None or guest.iam_user(user) is None:
        streams.inner_writer.write(_numbered(number, answer))
        return True
    token = guest.token()
    if token is None:
        streams.writer.write(_numbered(number + 1, ASK_PASSWORD))
        await streams.writer.drain()
        number, said = await _packet(streams.reader)
        token = said.rstrip(b"\0").decode("utf-8", "replace")
    if not guest.may_login(user, token):
        words = f"Access denied for user '{user}'@'cloudsqlproxy' (using password: YES)"
        refusal = struct.pack("<BH", REFUSED, ACCESS_DENIED) + b"#28000" + words.encode()
        streams.writer.write(_numbered(number + 1, refusal))
        await streams.writer.drain()
        return False
    return await _log_in(answer, greeting, guest.password(user), number + 1, streams)


async def _log_in(
    answer: bytes, greeting: bytes, password: str, number: int, streams: Streams
) -> bool:
    """Answer the server in the client's place, then pass on what it says to that."""
    streams.inner_writer.write(
        _numbered(1, _answer(answer, _scrambled(password, _nonce(greeting))))
    )
    await streams.inner_writer.drain()
    asked, last = await _packet(streams.inner_reader)
    if last[0] == SWITCH:
        plugin, _, nonce = last[1:].partition(b"\0")
        if plugin != NATIVE:
            raise ConnectionError(f"the server asks for {plugin.decode()}")
        proof = _scrambled(password, nonce.rstrip(b"\0"))
        streams.inner_writer.write(_numbered(asked + 1, proof))
        await streams.inner_writer.drain()
        _, last = await _packet(streams.inner_reader)
    streams.writer.write(_numbered(number, last))
    await streams.writer.drain()
    return last[0] == OK


def _answer(answer: bytes, proof: bytes) -> bytes:
    """Rewrite a client's answer: what he agreed to stays, how he proves who he is does not."""
    flags = struct.unpack_from("<I", answer)[0]
    user, _, rest = answer[FIXED:].partition(b"\0")
    database = b""
    if flags & WITH_DATABASE:
        database = _after_auth(flags, rest).partition(b"\0")[0] + b"\0"
    flags = (flags | SECURE | PLUGINS) & ~(ATTRIBUTES | LONG_AUTH)
    head = struct.pack("<I", flags) + answer[4:FIXED]
    return head + user + b"\0" + bytes([len(proof)]) + proof + database + NATIVE + b"\0"


def _after_auth(flags: int, rest: bytes) -> bytes:
    if flags & (SECURE | LONG_AUTH):
        # a length below 251 is one byte in either form, and no proof is longer
        return rest[1 + rest[0] :]
    return rest.partition(b"\0")[2]


def _user(answer: bytes) -> str | None:
    if len(answer) <= FIXED:
        return None
    return answer[FIXED:].partition(b"\0")[0].decode("utf-8", "replace")


def _nonce(greeting: bytes) -> bytes:
    """Return the twenty random bytes of a greeting, which come in two pieces."""
    start = greeting.index(b"\0", 1) + 5
    return greeting[start : start + 8] + greeting[start + 27 : start + 39]


def _scrambled(password: str, nonce: bytes) -> bytes:
    """Prove a password as the plugin mysql_native_password does."""
    first = _sha1(password.encode())
    second = _sha1(nonce + _sha1(first))
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readexactly(4)
    size = int.from_bytes(head[:3], "little")
    if not 0 < size <= LONGEST:
        raise ConnectionError("no greeting of MySQL's protocol")
    return head[3], await reader.readexactly(size)


def _numbered(number: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
