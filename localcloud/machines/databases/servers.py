"""One server process per Cloud SQL instance: made from a template, started, stopped, found again.

What is the same for every engine is here; ``postgres.py`` and ``mysql.py`` say how theirs is run
and speak SQL with it. An instance has a directory with ``data``, ``log`` and ``instance.json``.
Nothing listens on a network port. Durability is the operating system's: a killed server loses
nothing, a power cut may.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO, Any, Protocol

from localcloud.machines.databases.contract import DatabaseError
from localcloud.machines.databases.places import Places
from localcloud.machines.process import Process, ProcessError

START_SECONDS = 30.0
# between the end of a server and its restart, so that one that cannot live does not spin
PAUSE_SECONDS = 0.5

log = logging.getLogger(__name__)


class Programs(Protocol):
    """The programs of an engine, as far as they are on this machine."""

    def refusal(self, version: str) -> str | None:
        """Say why there is no such version here, and what would bring it; None when it is here."""


class DatabaseServers(ABC):
    """The servers of all instances of one engine in one state directory."""

    PRODUCT: str
    SOCKET: str
    STOP_SIGNAL = signal.SIGTERM
    # what a server that cannot start says while a predecessor that was killed is still going
    BLOCKED: tuple[str, ...] = ()

    def __init__(self, places: Places, programs: Programs) -> None:
        self._places = places
        self._programs = programs
        self._servers: dict[str, Process] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    @abstractmethod
    def _initialise(self, version: str, data: Path, runtime: Path) -> list[str]:
        """Return the command line that fills an empty data directory."""

    @abstractmethod
    def _command(self, record: dict[str, Any], data: Path, runtime: Path) -> list[str]:
        """Return the command line of a server."""

    @abstractmethod
    def _answers(self, instance: str) -> bool:
        """Tell whether the administrator can log in."""

    @abstractmethod
    def _lay_out(self, instance: str) -> None:
        """Give a new server the users a new Cloud SQL instance has."""

    def refusal(self, version: str) -> str | None:
        """Say why instances of this version cannot exist here, or None when they can."""
        return self._programs.refusal(version)

    def knows(self, instance: str) -> bool:
        """Tell whether there is such an instance."""
        return (self._places.instance(instance) / "instance.json").exists()

    def create(self, instance: str, version: str, *, options: dict[str, str]) -> None:
        """Make the instance's server and start it; what an interrupted creation left is replaced."""
        with self._lock(instance):
            self.delete(instance)
            template = self._template(version)
            home = self._places.instance(instance)
            home.mkdir(parents=True)
            subprocess.run(
                ["cp", "-a", "--reflink=auto", str(template), str(home / "data")], check=True
            )
            record = {"instance": instance, "version": version, "options": options}
            self._write(instance, {**record, "runs": False})
            self.start(instance)
            self._lay_out(instance)

    def configure(self, instance: str, options: dict[str, str]) -> None:
        """Restart a running server with these settings; remember them for one that is stopped.

        A server that does not start with them starts again with those it had.
        """
        with self._lock(instance):
            before = self._read(instance)
            self._write(instance, {**before, "options": options})
            if before["runs"]:
                self._halt(instance)
                try:
                    self.start(instance)
                except DatabaseError:
                    self._write(instance, before)
                    self.start(instance)
                    raise

    def start(self, instance: str) -> None:
        """Start the server, if it does not run."""
        with self._lock(instance):
            server = self._servers.get(instance)
            if server is None or not server.alive:
                self._servers[instance] = self._start(instance)
                self._watch(instance, self._servers[instance])
            self._write(instance, {**self._read(instance), "runs": True})

    def stop(self, instance: str) -> None:
        """Stop the server and leave its data; it stays stopped when the local cloud restarts."""
        with self._lock(instance):
            self._halt(instance)
            self._write(instance, {**self._read(instance), "runs": False})

    def delete(self, instance: str) -> None:
        """Stop the server and remove its data; harmless when there is none."""
        with self._lock(instance):
            self._halt(instance)
            shutil.rmtree(self._places.instance(instance), ignore_errors=True)
            shutil.rmtree(self._places.runtime(instance), ignore_errors=True)

    def socket_directory(self, instance: str) -> Path:
        """Return the directory in which the instance's socket lies."""
        return self._places.runtime(instance)

    def socket(self, instance: str) -> Path:
        """Return the instance's socket itself."""
        return self._places.runtime(instance) / self.SOCKET

    def iam_password(self, instance: str, user: str) -> str:
        """Return the internal password of an IAM user, for whoever has checked who he is."""
        return self._places.password(instance, user)

    def resume(self) -> None:
        """Start the servers that ran when the local cloud went down; one that cannot is logged."""
        for record in sorted(self._places.home.glob("instances/*/instance.json")):
            known = json.loads(record.read_text())
            if known["runs"]:
                try:
                    self.start(known["instance"])
                except DatabaseError:
                    # the others, and the rest of the local cloud, must come up all the same
                    log.exception("the server of %s did not start", known["instance"])

    def close(self) -> None:
        """Stop all servers; they are started again by ``resume``."""
        with self._guard:
            names = list(self._servers)
        for instance in names:
            with self._lock(instance):
                self._halt(instance)
                # not in stop(): containers keep the directory bound while a server restarts
                shutil.rmtree(self._places.runtime(instance), ignore_errors=True)

    def _template(self, version: str) -> Path:
        """Return an initialised data directory to copy, made once per state directory."""
        target = self._places.home / "template" / version
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        runtime = self._places.make_runtime(f"template {version}")
        work = Path(tempfile.mkdtemp(prefix=f"{version}-", dir=target.parent))
        self._places.give(work)
        try:
            self._run(self._initialise(version, work, runtime), "initialise a data directory")
            work.rename(target)
        finally:
            shutil.rmtree(runtime, ignore_errors=True)
            shutil.rmtree(work, ignore_errors=True)
        return target

    def _run(
        self,
        line: list[str],
        doing: str,
        env: dict[str, str] | None = None,
        stdin: IO[bytes] | None = None,
    ) -> str:
        """Run one of the engine's programs to its end; what it complained about is the error."""
        run = subprocess.run(
            line,
            env={**os.environ, **(env or {})},
            stdin=stdin or subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if run.returncode != 0:
            words = run.stderr.strip() or run.stdout.strip()
            raise DatabaseError(f"{self.PRODUCT} could not {doing}: {words}")
        return run.stdout

    def _lock(self, instance: str) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(instance, threading.RLock())

    def _read(self, instance: str) -> dict[str, Any]:
        try:
            text = (self._places.instance(instance) / "instance.json").read_text()
        except FileNotFoundError:
            raise DatabaseError(f"there is no server for {instance}") from None
        record: dict[str, Any] = json.loads(text)
        return record

    def _write(self, instance: str, record: dict[str, Any]) -> None:
        place = self._places.instance(instance) / "instance.json"
        fresh = place.with_suffix(".new")
        fresh.write_text(json.dumps(record, indent=1))
        fresh.replace(place)

    def _start(self, instance: str) -> Process:
        """Start a server; one that has just been killed may block its successor for a moment."""
        record, home = self._read(instance), self._places.instance(instance)
        refusal = self.refusal(record["version"])
        if refusal is not None:
            raise DatabaseError(f"{self.PRODUCT} cannot start: {refusal}")
        runtime = self._places.make_runtime(instance)
        process = Process(
            self._command(record, home / "data", runtime),
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            log=home / "log",
            ready=lambda: self._answers(instance),
            cwd="/",
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                process.start(timeout=START_SECONDS)
            except ProcessError as error:
                blocked = any(words in str(error) for words in self.BLOCKED)
                if not blocked or time.monotonic() > deadline:
                    said = str(error).splitlines()
                    why = [line for line in said if "ERROR" in line or "FATAL" in line] or said
                    raise DatabaseError(f"{self.PRODUCT} did not start: {' '.join(why)}") from error
                time.sleep(0.2)
            else:
                return process

    def _watch(self, instance: str, server: Process) -> None:
        """Start the server again when it ends and nobody has asked it to, as Cloud SQL does."""

        def wait() -> None:
            server.wait()
            with self._lock(instance):
                if self._servers.get(instance) is not server:
                    return  # stopped, or started again, by somebody else
                log.warning("the server of %s has ended with %s", instance, server.exit_code)
                time.sleep(PAUSE_SECONDS)
                try:
                    self.start(instance)
                except DatabaseError:
                    # nobody waits for this; whoever calls it next is told the same
                    log.exception("the server of %s did not start again", instance)

        name = f"server of {instance}"
        threading.Thread(target=wait, name=name, daemon=True).start()

    def _halt(self, instance: str) -> None:
        server = self._servers.pop(instance, None)
        if server is not None:
            server.stop(grace=20, ask=self.STOP_SIGNAL)
