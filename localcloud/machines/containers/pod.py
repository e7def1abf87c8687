"""A loopback of its own for the containers of one instance; run as a program, see ``loopbacks``.

It is two processes. One stays where it is, the other makes a network namespace, which the containers
join. Each listens on its side and hands every connection to the other by a socket between them; that
one connects on its own side and passes the bytes. So a container reaches the door and the metadata
server at the addresses it was told, and this machine reaches the containers at ports of its own.
"""

# Starts in a fraction of the time without site, and imports nothing of ours.

import argparse
import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from typing import NoReturn

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_REQUEST = struct.Struct("16sH14x")
_CHUNK = 256 * 1024
_PLACE_BYTES = 64

Place = tuple[str, int]


class Side:
    """One of the two: it listens here, and connects here for the other one."""

    def __init__(self, channel: socket.socket) -> None:
        """Talk to the other side through *channel*."""
        self._channel = channel
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, listeners: list[tuple[socket.socket, int | None]]) -> None:
        """Hand on what comes to the listeners, for a port of the other side, until that ends.

        Without a port it is meant for the very address that it came to.
        """
        loop = asyncio.get_running_loop()
        over = loop.create_future()
        self._channel.settimeout(0)
        loop.add_reader(self._channel, self._take, over)
        for listener, port in listeners:
            listener.settimeout(0)
            loop.add_reader(listener, self._hand_on, listener, port)
        await over

    def _hand_on(self, listener: socket.socket, port: int | None) -> None:
        with contextlib.suppress(OSError):  # who came has left, or the other side has
            connection, _ = listener.accept()
            with connection:
                host, own = connection.getsockname()
                place = f"{host} {own}" if port is None else f"127.0.0.1 {port}"
                socket.send_fds(self._channel, [place.encode()], [connection.fileno()])

    def _take(self, over: asyncio.Future[None]) -> None:
        try:
            told, numbers, _, _ = socket.recv_fds(self._channel, _PLACE_BYTES, 1)
        except BlockingIOError:
            return
        if not told:
            if not over.done():
                over.set_result(None)
            return
        host, port = told.decode().split()
        for number in numbers:
            task = asyncio.create_task(_join(socket.socket(fileno=number), (host, int(port))))
            self._open.add(task)
            task.add_done_callback(self._open.discard)


async def _join(outer: socket.socket, place: Place) -> None:
    """Connect to a place on this side and let the two talk."""
    outer.settimeout(0)
    reader, writer = await asyncio.open_connection(sock=outer, limit=_CHUNK)
    try:
        inner_reader, inner_writer = await asyncio.open_connection(*place, limit=_CHUNK)
    except OSError:
        # nobody listens there; a reset tells it best
        writer.transport.abort()
        return
    try:
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
    except OSError:
        for one in (writer, inner_writer):
            one.transport.abort()
    finally:
        for one in (writer, inner_writer):
            one.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _own_network() -> None:
    """Leave this machine's network for an empty one, whose loopback is up."""
    user, group = os.geteuid(), os.getegid()
    kinds = CLONE_NEWNET if user == 0 else CLONE_NEWNET | CLONE_NEWUSER
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(kinds) != 0:
        raise OSError(ctypes.get_errno(), "this machine gives no network namespace")
    if user != 0:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - see the top
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = _REQUEST.pack(b"lo", 0)
        flags = _REQUEST.unpack(fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, _REQUEST.pack(b"lo", flags | _IFF_UP))


def main(words: list[str]) -> NoReturn:
    """Make both sides and serve until either ends."""
    parser = argparse.ArgumentParser(prog="pod", allow_abbrev=False)
    # a port that containers ask, led out; a port of this machine, led to one of a container
    parser.add_argument("--out", type=int, action="append", default=[])
    parser.add_argument("--in", type=int, action="append", default=[], nargs=2, dest="into")
    options = parser.parse_args(words)
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    listeners: list[tuple[socket.socket, int | None]]
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        there.close()
        if os.getppid() != parent:
            os._exit(1)
        listeners = [
            (socket.create_server(("127.0.0.1", outer), backlog=512), inner)
            for outer, inner in options.into
        ]
        asyncio.run(Side(here).serve(listeners))
        os._exit(0)
    here.close()
    _own_network()
    # whatever address of 127.0.0.0/8 they ask
    listeners = [
        (socket.create_server(("0.0.0.0", port), backlog=512), None)  # noqa: S104 - see above
        for port in options.out
    ]
    asyncio.run(Side(there).serve(listeners))
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
