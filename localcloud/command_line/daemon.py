"""The daemon: one detached process per state folder, found again through files in it."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from localcloud.doors.control import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_BUNDLE = "/keys/ca.pem"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_PREFIX = "localcloud: "
"""How the command line begins what it says of its own errors."""


EXPORTED = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "GCE_METADATA_HOST",
    "GCE_METADATA_ROOT",
    "GCE_METADATA_IP",
    "GOOGLE_CLOUD_PROJECT",
)
"""What `env` sets for clients, gcloud's own variables aside."""


class DaemonError(Exception):
    """The daemon cannot do what was asked; the message is for people."""


@dataclass(frozen=True)
class Running:
    """What a running daemon says about itself in ``daemon.json``."""

    pid: int
    port: int
    http_port: int
    grpc_port: int
    project: str
    number: str
    region: str
    key: str
    code: str = ""
    """Which programs it was started with; empty for those of a time before this was told."""

    @property
    def page(self) -> str:
        """The link of the status page."""
        return f"http://127.0.0.1:{self.port}/{self.key}/"

    def ask(self, path: str, **given: object) -> Any:
        """Ask the daemon something over its HTTP port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            headers = {"Host": HOST, "X-Key": self.key, "Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(given), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            # It is ending just now, or something else has its port.
            raise DaemonError(f"the local cloud does not answer: {error}") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise DaemonError(str(answer.get("error", answer)))
        return answer


@dataclass(frozen=True)
class Settings:
    """What a state folder was first started with; later starts keep it."""

    project: str = "berth-local"
    region: str = "europe-west1"


def find(state: Path) -> Running | None:
    """Give the daemon of a state folder if it is alive and ready."""
    if not _locked(state):
        return None
    try:
        running = Running(**json.loads((state / "daemon.json").read_text()))
        holder = int((state / "daemon.lock").read_text())
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        # between taking the lock and being ready, or what a killed predecessor left behind
        return None
    return running if running.pid == holder else None


def up(state: Path, *, project: str | None, region: str | None) -> tuple[Running, bool]:
    """Start the daemon unless it runs, wait until everything listens; True if it was started.

    One that was started with other programs than are here now is started anew: half of what it
    runs, it would read from files that it does not know.
    """
    running = find(state)
    if running is not None:
        _same(Settings(running.project, running.region), project=project, region=region)
        if running.code == code():
            return running, False
        down(state)
    with usable(state):
        _prepare(state, project=project, region=region)
        output = (state / "daemon.log").open("ab")
    with output:
        before = output.tell()
        started = subprocess.Popen(
            [sys.executable, "-m", "localcloud", "daemon", "--state", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=_environment(),
        )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while time.monotonic() < deadline:
            running = find(state)
            if running is not None:
                return running, running.pid == started.pid
            if started.poll() is not None and not _locked(state):
                raise DaemonError(f"the local cloud did not start:\n{_tail(state, before)}")
            time.sleep(0.02)
    except KeyboardInterrupt:
        started.terminate()
        raise
    started.kill()
    raise DaemonError(f"the local cloud was not ready in time:\n{_tail(state, before)}")


def down(state: Path) -> bool:
    """Stop the daemon and everything it started; False if there was none."""
    if not _locked(state):
        (state / "daemon.json").unlink(missing_ok=True)
        return False
    pid = int((state / "daemon.lock").read_text().strip() or 0)
    if not pid:
        raise DaemonError("the local cloud is just starting; try again")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _locked(state):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    (state / "daemon.json").unlink(missing_ok=True)
    return True


def run(state: Path) -> None:
    """Be the daemon: serve until asked to stop."""
    # the doors and services are heavy to import; the other commands stay quick without them
    from localcloud.cloud import Cloud

    begun = code()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    _prepare(state)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda *_: stop.set())
    with _lock(state):
        made = settings(state)
        with usable(state):
            cloud = Cloud(state, project=made.project, region=made.region)
        try:
            with usable(state), cloud.serve(port=_free_port(state)) as serving:
                running = Running(
                    pid=os.getpid(),
                    port=serving.port,
                    http_port=serving.http_port,
                    grpc_port=serving.grpc_port,
                    project=cloud.project,
                    number=cloud.number,
                    region=cloud.region,
                    key=serving.key,
                    code=begun,
                )
                _announce(state, running)
                stop.wait()
        finally:
            (state / "daemon.json").unlink(missing_ok=True)
            cloud.close()
        logging.shutdown()
        # Python would wait for worker threads, and one may be waiting for something of its own
        os._exit(0)


def code() -> str:
    """Tell the programs as they are now from any others, by when they were written."""
    root = Path(__file__).parents[1]
    files = sorted((str(file), file.stat()) for file in root.rglob("*.py"))
    told = [f"{name} {seen.st_mtime_ns} {seen.st_size}" for name, seen in files]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def last_port(state: Path) -> int:
    """Return where the door was the last time, 0 if it never was anywhere."""
    try:
        return int((state / "port").read_text())
    except (OSError, ValueError):
        return 0


def settings(state: Path) -> Settings:
    """Give what a state folder was made with, or the defaults."""
    file = state / "settings.json"
    try:
        return Settings(**json.loads(file.read_text())) if file.exists() else Settings()
    except (ValueError, TypeError):
        raise DaemonError(
            f"{file} is damaged; it holds project and region as JSON, such as "
            f"{json.dumps(asdict(Settings()))}"
        ) from None


def _environment() -> dict[str, str]:
    """Give the daemon the machine's environment, not the one that `env` made for its clients.

    A shell that exported `env` may start it again; its builds must still reach the real network.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    if kept.get("SSL_CERT_FILE", "").endswith(_BUNDLE):
        for name in EXPORTED:
            kept.pop(name, None)
    return kept


def _prepare(state: Path, *, project: str | None = None, region: str | None = None) -> None:
    state.mkdir(parents=True, exist_ok=True)
    ignore = state / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    file = state / "settings.json"
    if not file.exists():
        made = Settings(project or Settings.project, region or Settings.region)
        file.write_text(json.dumps(asdict(made)))
    _same(settings(state), project=project, region=region)


def _same(kept: Settings, *, project: str | None, region: str | None) -> None:
    """Refuse another project or region than the state was made with."""
    if (project or kept.project, region or kept.region) != (kept.project, kept.region):
        raise DaemonError(
            f"this state folder belongs to project {kept.project} in {kept.region}; use another "
            "--state, or reset it first"
        )


def _announce(state: Path, running: Running) -> None:
    draft = state / "daemon.json.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(running)))
    draft.replace(state / "daemon.json")
    (state / "port").write_text(str(running.port))


def _free_port(state: Path) -> int:
    """Keep the door where it was, so that exported variables outlive a restart."""
    import socket

    port = last_port(state)

    try:
        with socket.create_server(("127.0.0.1", port)):
            return port
    except OSError:
        return 0


@contextmanager
def _lock(state: Path) -> Iterator[None]:
    with (state / "daemon.lock").open("a+") as file:
        if not _try(file):
            raise DaemonError("another daemon holds this state folder")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locked(state: Path) -> bool:
    try:
        with (state / "daemon.lock").open("r+") as file:
            return not _try(file)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _try(file: IO[str]) -> bool:
    # the kernel drops the lock with its process, so a stale file never looks alive
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tail(state: Path, since: int) -> str:
    """Give the end of what this start wrote into the log, or what it said of itself."""
    try:
        lines = (state / "daemon.log").read_bytes()[since:].decode("utf-8", "replace").splitlines()
    except OSError:
        return "(there is no log)"
    said = [line for line in lines if line.startswith(_PREFIX)]
    return "\n".join(said[-1:] or lines[-20:]).removeprefix(_PREFIX)


@contextmanager
def usable(state: Path) -> Iterator[None]:
    """Say of a state folder that cannot be used why it cannot."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DaemonError(f"the state folder {state} cannot be used: {reason}") from error
