"""IAM database authentication: an access token instead of a password, checked by the gateway.

The server behind it knows nothing of IAM: each IAM user has an internal password there, which never
leaves the machine. A user who shows a good token, as his password or inside the certificate that
his connector was given for it, is logged in with that password; everybody else talks to the server
himself. Documented under "IAM authentication" of Cloud SQL; the wording of the refusals is Cloud SQL's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scramp import ScramClient

from localcloud.errors import ApiError
from localcloud.services.sqladmin import certificates, flags
from localcloud.services.sqladmin.engines import engine
from localcloud.services.sqladmin.users import BUILT_IN

if TYPE_CHECKING:
    import asyncio

    from localcloud.cloud import Cloud
    from localcloud.service import Resource

CANCEL, SSL, GSS = 80877102, 80877103, 80877104
LONGEST = 100_000
ASK_PASSWORD = struct.pack("!cii", b"R", 8, 3)
SASL, SASL_CONTINUE, SASL_FINAL = 10, 11, 12


@dataclass(frozen=True)
class Streams:
    """Both sides of a connection: the client, and the server behind the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    inner_reader: asyncio.StreamReader
    inner_writer: asyncio.StreamWriter


@dataclass(frozen=True)
class Guest:
    """Whoever came through the gateway of an instance, with the certificate he showed."""

    cloud: Cloud
    key: str
    certificate: bytes

    def revoked(self) -> bool:
        """Tell whether his certificate was made by sslCerts.insert and deleted since."""
        return certificates.revoked(self.cloud, self.key, self.certificate)

    def instance(self) -> Resource:
        """Return the instance as it is stored."""
        found = self.cloud.store.of("sqladmin").find(self.key)
        if found is None:
            raise ConnectionError(f"{self.key} has been deleted")
        return found

    def iam_user(self, name: str) -> Resource | None:
        """Return the IAM user of this name, if the instance has one."""
        users = self.cloud.store.of("sqladmin").children(f"{self.key}/users/")
        found = [one for one in users if one["name"] == name and one["type"] != BUILT_IN]
        return found[0] if found else None

    def may_login(self, name: str, token: str) -> bool:
        """Tell whether this is a good token of that very user, who may log in."""
        found = self.instance()
        if flags.value(found["settings"], engine(found).iam_flag) != "on":
            return False
        try:
            caller = self.cloud.tokens.identify({"authorization": f"Bearer {token}"})
            self.cloud.iam.check(caller.member, "cloudsql.instances.login", "sqladmin", self.key)
        except ApiError:
            return False
        return engine(found).login_name(caller.email) == name


async def admitted(guest: Guest, version: str, streams: Streams) -> bool:
    """Do what must be done before bytes go through as they are; False when there is no more to do."""
    if not version.startswith("POSTGRES"):
        return True
    startup = await _startup(streams)
    if startup is None:
        return False
    user = _parameters(startup).get("user", "")
    if guest.iam_user(user) is None:
        streams.inner_writer.write(startup)
        return True
    token = certificates.login_token(guest.certificate)
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
    password = guest.cloud.machines.databases.iam_password(guest.instance()["connectionName"], user)
    streams.inner_writer.write(startup)
    return await _log_in(user, password, streams)


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
    client = ScramClient(["SCRAM-SHA-256"], user, password)
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
    known = guest.iam_user(user) or {}
    what = "service account" if known.get("type") == "CLOUD_IAM_SERVICE_ACCOUNT" else "user"
    words = f'Cloud SQL IAM {what} authentication failed for user "{user}"'
    fields = {"S": "FATAL", "V": "FATAL", "C": "28P01", "M": words}
    body = b"".join(f"{name}{value}".encode() + b"\0" for name, value in fields.items()) + b"\0"
    streams.writer.write(b"E" + struct.pack("!i", len(body) + 4) + body)
    await streams.writer.drain()
    streams.writer.close()
    await streams.writer.wait_closed()
