"""A loop beside the doors: what runs on it, and how it ends."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from localcloud.doors.side_loop import SideLoop


async def _listen() -> tuple[asyncio.Server, int]:
    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1])


def test_it_gives_what_a_coroutine_gives() -> None:
    """The thread that asks waits for the result; the work runs in another one."""
    loop = SideLoop("beside")

    async def who() -> str:
        return threading.current_thread().name

    assert loop.run(who()) == "beside"
    loop.stop()


def test_it_raises_what_a_coroutine_raises() -> None:
    """An error comes to whoever asked."""
    loop = SideLoop("beside")

    async def fail() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        loop.run(fail())
    loop.stop()


def test_its_end_cuts_whoever_is_connected() -> None:
    """Also clients whose conversation says nothing and closes nothing by itself."""
    loop = SideLoop("beside")
    server, port = loop.run(_listen())
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(5)]
    loop.run(asyncio.sleep(0.01))

    loop.run(_closed(server))
    loop.stop()

    for client in clients:
        with client:
            assert _rest(client) == b""


def test_it_starts_again() -> None:
    """After its end the next coroutine has a new thread."""
    loop = SideLoop("beside")
    loop.run(asyncio.sleep(0))
    loop.stop()

    assert loop.run(asyncio.sleep(0, "again")) == "again"
    loop.stop()


async def _closed(server: asyncio.Server) -> None:
    server.close()


def _rest(client: socket.socket) -> bytes:
    try:
        return client.recv(1)
    except ConnectionResetError:
        return b""
