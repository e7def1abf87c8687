"""The sockets of the load balancer: one for each forwarding rule, on one loop in one thread."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import ServerState

from localcloud.doors import loopback
from localcloud.doors.http_door import Protocol
from localcloud.doors.side_loop import SideLoop

if TYPE_CHECKING:
    import ssl

_KEEP_ALIVE = 610
"""How long an idle connection stays, as cloud.google.com/load-balancing/docs/https says."""

log = logging.getLogger(__name__)


class Listeners:
    """What listens, by the key of the forwarding rule."""

    def __init__(self) -> None:
        """Listen nowhere yet."""
        self._loop = SideLoop("load-balancer")
        self._open: dict[str, tuple[asyncio.Server, ServerState, tuple[str, int]]] = {}
        self._lock = threading.RLock()

    @property
    def keys(self) -> set[str]:
        """The rules that something listens for."""
        return set(self._open)

    def at(self, key: str) -> tuple[str, int] | None:
        """Return where a rule's socket really is."""
        found = self._open.get(key)
        return None if found is None else found[2]

    def open(
        self, key: str, host: str, port: int, *, app: Any, context: ssl.SSLContext | None
    ) -> None:
        """Listen for a rule, on its own address and port if this machine lets us.

        An ordinary user may not listen on 80 and 443, and not every system has the address; then
        it is a port that is free, and only the door knows the way.
        """
        with self._lock:
            if key in self._open:
                return
            own = loopback.is_ours(host)
            places = [(host, port), (host, 0)] if own else []
            for place in (*places, ("127.0.0.1", 0)):
                try:
                    self._open[key] = self._loop.run(_listen(place, app, context))
                except OSError as error:
                    if error.errno not in {errno.EACCES, errno.EADDRINUSE, errno.EADDRNOTAVAIL}:
                        raise
                    log.warning("%s cannot listen on %s:%s: %s", key, *place, error)
                else:
                    return

    def close(self, key: str) -> None:
        """Listen for a rule no longer, and cut its connections."""
        with self._lock:
            found = self._open.pop(key, None)
            if found is not None:
                self._loop.run(_stop(*found[:2]))

    def shut(self) -> None:
        """Close everything and end the thread."""
        with self._lock:
            for key in list(self._open):
                self.close(key)
            self._loop.stop()


async def _listen(
    place: tuple[str, int], app: Any, context: ssl.SSLContext | None
) -> tuple[asyncio.Server, ServerState, tuple[str, int]]:
    config = uvicorn.Config(
        app,
        http=Protocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        # the client's address is the one it has, whatever its headers say
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()

    def protocol() -> Protocol:
        return Protocol(config=config, server_state=state, app_state={}, _loop=loop)

    server = await loop.create_server(protocol, *place, ssl=context, backlog=512)
    host, port = server.sockets[0].getsockname()[:2]
    return server, state, (host, port)


async def _stop(server: asyncio.Server, state: ServerState) -> None:
    server.close()
    for connection in list(state.connections):
        connection.shutdown()
    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
