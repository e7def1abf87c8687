"""Asking a daemon that is ending, or a port that is somebody else's by now."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from localcloud.command_line.daemon import DaemonError, Running


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n<>",
    ],
)
def test_half_an_answer_is_said_to_be_none(said: bytes) -> None:
    """A daemon that ends meanwhile, or another program on its port: one sentence, no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as other:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        port = server.getsockname()[1]
        running = Running(1, port, port, port, "p", "1", "europe-west1", "key")
        done = other.submit(answer)

        with pytest.raises(DaemonError, match="the local cloud does not answer"):
            running.ask("/calls")
        done.result()
