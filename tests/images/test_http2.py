"""The image's server, started as the image starts it, answers HTTP/1 and HTTP/2 on one port."""

import json
import os
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud.machines.containers.container_ports import free_port

IMAGE = Path(__file__).parents[2] / "images" / "tracking-server"
APPLICATION = """
async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})
"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = 4
"""The type of the frame that an HTTP/2 connection begins with (RFC 9113)."""


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int
    log: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Where Granian serves an application that says which scheme it sees."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tiny.py").write_text(APPLICATION)
    entrypoint = runpy.run_path(str(IMAGE / "entrypoint.py"))
    options = [*entrypoint["GRANIAN"], *entrypoint["SERVERS"]["3"].options]
    options[options.index("--log-config") + 1] = str(IMAGE / "log.json")
    number = free_port()
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "granian", *options, "--port", str(number), "server:asgi"],
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": f"{IMAGE}:{folder}",
                "MLFLOW_APPLICATION": "tiny:asgi",
                "AUTH_MODE": "none",
                "ARTIFACT_UPLOADS": "http2",
                "UPLOAD_ROOM_MIB": "64",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                socket.create_connection(("127.0.0.1", number), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            else:
                break
        yield Served(number, log)
    finally:
        server.terminate()
        assert server.wait(timeout=20) == 0


def ask(port: int, sent: bytes) -> bytes:
    """Return the beginning of what comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        return connection.recv(65536)


def get(served: Served, path: str) -> bytes:
    """Ask over HTTP/1, as Cloud Run's probes do."""
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: x",
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 203.0.113.7",
        "Connection: close",
    )
    return ask(served.port, "\r\n".join([*lines, "", ""]).encode())


def test_probes_are_answered_over_http_1(served: Served) -> None:
    """And the application knows that the caller came over https."""
    answer = get(served, "/health")

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"https")


def test_http_2_is_spoken_without_being_negotiated(served: Served) -> None:
    """Google's front end begins with the preface; the server answers with its settings."""
    answer = ask(served.port, PREFACE + bytes([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]))

    assert answer[3] == SETTINGS


def test_the_log_tells_of_requests_but_not_of_probes(served: Served) -> None:
    """One JSON object a line, with the fields that Cloud Logging gives a meaning to."""
    get(served, "/health")
    get(served, "/api")

    deadline = time.monotonic() + 240
    while not (asked := requests_in(served.log)):
        assert time.monotonic() < deadline, served.log.read_text()
        time.sleep(0.05)
    assert {(one["requestUrl"], one["status"]) for one in asked} == {("/api", 200)}


def requests_in(log: Path) -> list[dict[str, object]]:
    """Return the requests that a log tells of."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["httpRequest"] for line in lines if "httpRequest" in line]
