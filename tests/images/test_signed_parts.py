"""Artifacts above 32 MiB pass a front end that lets no such request through, in signed parts."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.machines.containers.container_ports import free_port
from tests.images.mlflow_of import IMAGE, interpreter, our_package
from tests.images.wall import Wall, wall

PROGRAMS = Path(__file__).parent / "programs"
BUCKET = "artifacts-of-demo"
SIGNER = "roles/iam.serviceAccountTokenCreator"

# One process for all of them: they share a local cloud.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("signed-parts")]


@dataclass(frozen=True)
class Served:
    """A tracking server behind a wall, and its client."""

    version: str
    python: Path
    wall: Wall
    log: Path
    environment: dict[str, str]

    def client(self, **more: str) -> dict[str, Any]:
        """Run a training whose MLflow has no credentials of Google."""
        ended = subprocess.run(
            [self.python, PROGRAMS / "big_artifact.py"],
            env=self.environment
            | {
                "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.wall.port}",
                "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
                "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "10485760",
            }
            | more,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}\n{self.log.read_text()}"
        found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return found

    @property
    def errors(self) -> list[str]:
        """What the server's log holds of errors."""
        written = self.log.read_text().splitlines()
        lines = [json.loads(line) for line in written if line.startswith("{")]
        return [line["message"] for line in lines if line["severity"] == "ERROR"]


@pytest.fixture(scope="module")
def bucket(cloud: Cloud, ask: Callable[..., Any], account: str) -> str:
    """The artifacts' bucket; the server's account may write there."""
    ask("POST", "storage.googleapis.com/storage/v1/b?project=berth-local", {"name": BUCKET})
    cloud.grant(f"serviceAccount:{account}", "roles/storage.objectUser")
    return BUCKET


@pytest.fixture(scope="module")
def trusted(ask: Callable[..., Any], account: str) -> None:
    """The server's account may sign for itself."""
    trust(ask, account, [f"serviceAccount:{account}"])


def trust(ask: Callable[..., Any], account: str, members: list[str]) -> None:
    """Say who may make tokens and signatures for an account."""
    url = f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{account}:setIamPolicy"
    ask("POST", url, {"policy": {"bindings": [{"role": SIGNER, "members": members}]}})


@pytest.fixture(scope="module")
def serve(
    cloud: Cloud,
    account: str,
    bucket: str,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Callable[..., Any]:
    """Serves one version of MLflow, as the image does."""
    kept = request.config.cache.mkdir("mlflow-of-the-image")
    ours = our_package(tmp_path_factory.mktemp("ours"))
    hidden = ("PYTHONDONTWRITEBYTECODE", "GOOGLE_APPLICATION_CREDENTIALS")
    plain = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.upper().endswith("_PROXY")
    }
    google = cloud.environment(account)
    known = {"HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"}

    @contextmanager
    def run(version: str, uploads: str) -> Iterator[Served]:
        folder = tmp_path_factory.mktemp(f"mlflow-{version}")
        python = interpreter(version, kept)
        port = free_port()
        settings = {
            "AUTH_MODE": "none",
            "ARTIFACT_UPLOADS": uploads,
            "DB_ENGINE": "postgresql",
            "LOG_CONFIG": str(IMAGE / "log.json"),
            "MLFLOW_ARTIFACTS_DESTINATION": f"gs://{bucket}/artifacts of {version}",
            "MLFLOW_CONFIGURE_LOGGING": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "127.0.0.1:*",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_VERSION": version,
            "PORT": str(port),
            "PYTHONPATH": f"{IMAGE}:{ours}",
            "PYTHONWARNINGS": "ignore",
            "TMPDIR": str(folder),
            "UPLOAD_ROOM_MIB": "64",
        }
        log = folder / "log"
        program = PROGRAMS / "become_server.py"
        with log.open("w") as output:
            server = subprocess.Popen(
                [python, program, f"sqlite:///{folder}/runs.db"],
                cwd=folder,
                env=plain | google | settings,
                stdout=output,
                stderr=output,
            )
        try:
            _wait(port, log)
            client = {name: google[name] for name in known} | {
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"
            }
            with wall(port) as front:
                yield Served(version, python, front, log, plain | client)
        finally:
            server.terminate()
            assert server.wait(timeout=20) == 0

    return run


def begun(cloud: Cloud) -> list[str]:
    """Return the multipart uploads that were begun and neither completed nor aborted."""
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    answer = cloud.request(
        "GET", f"https://storage.googleapis.com/{BUCKET}?uploads", headers=headers
    )
    assert answer.status == 200, answer.body
    return re.findall(r"<UploadId>(.*?)</UploadId>", answer.body.decode())


def _wait(port: int, log: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


@pytest.fixture(scope="module", params=["3.17.2", "2.22.5"])
def served(serve: Callable[..., Any], request: pytest.FixtureRequest) -> Iterator[Served]:
    """Each offered version, with signed parts."""
    with serve(request.param, "signed_parts") as running:
        yield running


@pytest.mark.usefixtures("trusted")
def test_a_big_artifact_goes_past_the_wall_and_comes_back(served: Served, cloud: Cloud) -> None:
    """Byte for byte, from a client that has no credentials; also for browsers."""
    found = served.client()

    print(f"{served.version}: {found}")  # noqa: T201 - figures of docs/decisions/0008
    assert found.get("same"), found
    assert found["shown"] == [200, True]
    assert served.wall.refused == []
    assert served.wall.largest < 1024 * 1024
    assert begun(cloud) == []


def test_without_the_right_to_sign_the_client_is_told(
    served: Served, cloud: Cloud, ask: Callable[..., Any], account: str
) -> None:
    """At once and in words, not after minutes of tries; the log says it too."""
    trust(ask, account, [])
    try:
        found = served.client()
    finally:
        trust(ask, account, [f"serviceAccount:{account}"])

    assert f"{account}, may not sign for itself" in found["refused"]
    assert SIGNER in found["refused"]
    assert found["seconds_up"] < 10
    assert any("may not sign for itself" in message for message in served.errors)
    assert begun(cloud) == []
