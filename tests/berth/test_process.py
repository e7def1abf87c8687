"""The package as it is installed, in a process of its own, with tokens that live for three seconds."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.berth.mini_tracking import PARTS
from tests.berth.world import TRAINER, URL
from tests.localcloud.iap.guarded import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from localcloud.identity.tokens import Tokens
    from tests.berth.world import World

ROOT = Path(__file__).parents[2]
MIB = 2**20
LIFETIME = 3
SECONDS = 5
PROGRAM = """
import os, sys, time
import mlflow

mlflow.log_artifact(sys.argv[1])
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    mlflow.log_metric("loss", 0.5)
    time.sleep(0.2)
child = os.fork()
if child == 0:
    mlflow.log_metric("loss", 0.25)
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


class Metadata(http.server.BaseHTTPRequestHandler):
    """A stand-in for Google's metadata server, whose tokens have short lives."""

    tokens: Tokens
    asked: list[str]

    def do_GET(self) -> None:
        """Answer what Google's library asks."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        account = "/computeMetadata/v1/instance/service-accounts/default/"
        answers: dict[str, Callable[[], str]] = {
            "/": lambda: "computeMetadata/",
            "/computeMetadata/v1/project/project-id": lambda: "berth-local",
            account: lambda: json.dumps({"email": TRAINER, "scopes": [], "aliases": ["default"]}),
            f"{account}token": lambda: json.dumps({"access_token": "a", "expires_in": 3599}),
            f"{account}identity": lambda: self._identity(query["audience"][0]),
        }
        found = answers.get(path)
        body = (found() if found else "").encode()
        self.send_response(200 if found else 404)
        self.send_header("Metadata-Flavor", "Google")
        kind = "application/json" if body.startswith(b"{") else "text/plain"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _identity(self, audience: str) -> str:
        self.asked.append(audience)
        now = int(time.time())
        claims = {"aud": audience, "email": TRAINER, "iat": now, "exp": now + LIFETIME}
        return self.tokens.sign_jwt(claims)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def asked(world: World) -> Iterator[list[str]]:
    """The audiences that the metadata server was asked for."""
    made = type("Mine", (Metadata,), {"tokens": world.cloud.tokens, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), made)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["GCE_METADATA_HOST"] = f"127.0.0.1:{server.server_port}"
    os.environ["GCE_METADATA_IP"] = f"127.0.0.1:{server.server_port}"
    yield made.asked  # type: ignore[attr-defined]  # made above
    server.shutdown()
    server.server_close()


def strict(world: World, refused: list[str]) -> Callable[..., Iterable[bytes]]:
    """Return a door that knows no mercy: a token that has ended is none."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        claims = world.cloud.tokens.issued(token) or {}
        if claims.get("aud") == URL and claims["exp"] > time.time():
            return world.server(environ, start)
        refused.append(environ["PATH_INFO"])
        start("401 Unauthorized", [("content-type", "text/plain")])
        return [b"Unauthorized\n"]

    return app


def test_the_package_is_installed() -> None:
    """Its entry point is how MLflow finds it; without it run `make setup`."""
    (found,) = entry_points(group="mlflow.request_auth_provider", name="berth")

    assert found.load().__module__ == "berth.mlflow_auth"


def test_a_training_outlives_its_tokens(world: World, asked: list[str], tmp_path: Path) -> None:
    """Its first call is a large artifact; then it goes on, and a process forked from it, too."""
    refused: list[str] = []
    world.cloud.ingress.mount(HOST, strict(world, refused))
    world.cloud.ingress.mount(PARTS.removeprefix("https://"), world.server.take_part)
    file, program = tmp_path / "model.bin", tmp_path / "train.py"
    file.write_bytes(bytes(40 * MIB))
    program.write_text(PROGRAM)
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": URL,
        "MLFLOW_TRACKING_AUTH": "berth",
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "GIT_PYTHON_REFRESH": "quiet",
    }

    ended = subprocess.run(
        [sys.executable, str(program), str(file), str(SECONDS)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert world.server.artifacts == {"model.bin": 40 * MIB}
    assert world.server.parts == [10 * MIB] * 4
    assert len(world.server.metrics) > SECONDS
    assert world.server.metrics[-1] == 0.25
    assert set(asked) == {URL}
    assert SECONDS / LIFETIME < len(asked) < 2 * SECONDS
    assert refused == ["/oauth2/auth"] * 2  # the question of each process
