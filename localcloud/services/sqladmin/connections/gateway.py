"""What Cloud SQL's connectors dial: TLS on port 3307 of an address that each instance has of its own.

Connectors take address and port as they are: no proxy comes between. So an instance's public address
is one of this machine's own, see localcloud/doors/loopback.py.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from typing import TYPE_CHECKING

from localcloud.doors import door, loopback
from localcloud.doors.side_loop import SideLoop
from localcloud.services.sqladmin.connections import iam_login, mysql_login, postgres_login
from localcloud.services.sqladmin.connections.certificates import Certificates
from localcloud.services.sqladmin.engines import kind

if TYPE_CHECKING:
    import ssl

    from localcloud.cloud import Cloud
    from localcloud.service import Resource

PORT = 3307
SECONDS = 30.0
LOGIN_SECONDS = 60.0

BEGINS = {"POSTGRES": postgres_login.admitted, "MYSQL": mysql_login.admitted}
"""How a connection begins, by engine."""

log = logging.getLogger(__name__)


def gateway_of(cloud: Cloud) -> Gateway:
    """Give the gateway of a cloud."""
    return cloud.belongings.get(Gateway)


def shut(cloud: Cloud) -> None:
    """Close every listener of a cloud."""
    found = cloud.belongings.take(Gateway)
    if found is not None:
        found.shut()


class Gateway:
    """The listeners of all instances of one cloud, on one loop in one thread."""

    def __init__(self, cloud: Cloud) -> None:
        """Listen nowhere yet."""
        self._cloud = cloud
        self._loop = SideLoop("cloud-sql-gateway")
        self._listeners: dict[str, asyncio.Server] = {}
        self._talks: dict[str, set[asyncio.Task[None]]] = {}
        self._lock = threading.RLock()

    def address(self, key: str) -> str:
        """Choose the address of a new instance."""
        return loopback.address(self._cloud, key, ports=(PORT,))

    def open(self, key: str, instance: Resource) -> None:
        """Let connectors in to a running instance."""
        public = [one for one in instance["ipAddresses"] if one["type"] == "PRIMARY"]
        if not public:
            self.close(key)
            return
        host = public[0]["ipAddress"]
        with self._lock:
            if key in self._listeners or not loopback.is_ours(host):
                return
            context = Certificates(self._cloud, key).context()
            try:
                self._listeners[key] = self._loop.run(self._listen(key, host, context))
            except OSError:
                # the instance is there all the same, for containers
                log.exception("nothing listens on %s:%s for %s", host, PORT, key)

    def close(self, key: str) -> None:
        """Refuse connectors and cut those that are in."""
        with self._lock:
            listener = self._listeners.pop(key, None)
            if listener is not None:
                self._loop.run(self._stop(key, listener))

    def shut(self) -> None:
        """Close everything and end the thread."""
        with self._lock:
            for key in list(self._listeners):
                self.close(key)
            self._loop.stop()

    async def _listen(self, key: str, host: str, context: ssl.SSLContext) -> asyncio.Server:
        async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._enter(key, reader, writer)

        return await asyncio.start_server(
            enter, host, PORT, ssl=context, ssl_handshake_timeout=SECONDS
        )

    async def _stop(self, key: str, listener: asyncio.Server) -> None:
        listener.close()
        talks = list(self._talks.pop(key, ()))
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _enter(
        self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        talk = asyncio.current_task()
        if talk is None:
            return
        talks = self._talks.setdefault(key, set())
        talks.add(talk)
        try:
            await self._talk(key, reader, writer)
        except (OSError, asyncio.IncompleteReadError, LookupError, ValueError, struct.error):
            # gone, too slow, or not speaking the protocol
            log.debug("a connection to %s ended early", key, exc_info=True)
        except asyncio.CancelledError:
            log.debug("a connection to %s was cut", key)
        finally:
            talks.discard(talk)
            writer.transport.abort()

    async def _talk(
        self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        guest = iam_login.Guest(self._cloud, key, shown)
        if await asyncio.to_thread(guest.revoked):
            return
        found = self._cloud.store.of("sqladmin").find(key)
        if found is None:
            return
        place = self._cloud.machines.databases.socket(found["connectionName"])
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(place))
        streams = iam_login.Streams(reader, writer, inner_reader, inner_writer)
        try:
            async with asyncio.timeout(LOGIN_SECONDS):
                admitted = await BEGINS[kind(found["databaseVersion"])](guest, streams)
            if admitted:
                await door.pipe(reader, writer, inner_reader, inner_writer)
        finally:
            inner_writer.transport.abort()
