"""Cloud SQL for PostgreSQL for real: one server per instance, reachable by its unix socket only.

Cloud Run mounts the socket's directory at /cloudsql/P:R:I.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from localcloud.machines.databases import postgres_roles as roles
from localcloud.machines.databases.contract import DatabaseError, Login, Outcome, Statement
from localcloud.machines.databases.places import ADMIN, Places
from localcloud.machines.databases.postgres_programs import Programs
from localcloud.machines.databases.postgres_statements import run_statements
from localcloud.machines.databases.servers import DatabaseServers

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
ROLES = "roles.sql"
DUMP = ".dump"
# the database that is connected to where every other one may be dropped
REFUGE = "template1"


class PostgresDatabases(DatabaseServers):
    """All PostgreSQL instances of one state directory."""

    PRODUCT = "PostgreSQL"
    SOCKET = ".s.PGSQL.5432"
    STOP_SIGNAL = signal.SIGINT  # to PostgreSQL: do not wait for clients
    BLOCKED = ("lock file", "shared memory block")

    _programs: Programs

    def __init__(self, state: Path) -> None:
        super().__init__(Places(state / "postgres"), Programs())

    def installed_version(self, version: str) -> str:
        """Return the exact version that stands behind ``version``, such as POSTGRES_18_6."""
        return f"POSTGRES_{self._programs.installations[version].exact.replace('.', '_')}"

    def databases(self, instance: str) -> list[str]:
        """Name the databases users can see."""
        with self._admin(instance) as admin:
            return roles.databases(admin)

    def collations(self, instance: str) -> dict[str, tuple[str, str]]:
        """Return nothing: what is asked for is remembered, and every database sorts as C.UTF-8."""
        del instance
        return {}

    def create_database(
        self, instance: str, name: str, charset: str = "", collation: str = ""
    ) -> None:
        """Create a database owned by cloudsqlsuperuser."""
        del charset, collation
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

    def alter_database(self, instance: str, name: str, charset: str, collation: str) -> None:
        """Refuse: what a PostgreSQL database is, it stays."""
        del instance, charset, collation
        raise DatabaseError(f'encoding and collation of database "{name}" cannot be changed')

    def users(self, instance: str) -> list[tuple[str, str]]:
        """Name every role that may log in."""
        with self._admin(instance) as admin:
            return [(name, "") for name in roles.users(admin)]

    def set_user(self, instance: str, login: Login, *, revoke: bool = False) -> None:
        """Create the user or change him; an IAM user's password is the instance's own secret."""
        if login.iam:
            password = self.iam_password(instance, login.name)
            login = replace(login, password=password)
        with self._admin(instance) as admin:
            roles.set_user(admin, login, revoke=revoke)

    def memberships(self, instance: str, user: str, host: str = "") -> list[str]:
        """Name the roles the user is a direct member of."""
        del host
        with self._admin(instance) as admin:
            return roles.memberships(admin, user)

    def check_drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Drop the user and take it back: PostgreSQL says what depends on him."""
        del host
        with self._admin(instance) as admin:
            roles.check_drop_user(admin, name)

    def drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Drop the user; DatabaseError when something depends on him."""
        del host
        with self._admin(instance) as admin:
            roles.drop_user(admin, name)

    def execute(self, instance: str, statement: Statement) -> Outcome:
        """Run a text of SQL statements as one user, logged in as himself."""
        password = statement.password
        if password is None:
            password = self.iam_password(instance, statement.user)
        try:
            connection = self._connect(
                instance, database=statement.database, user=statement.user, password=password
            )
        except psycopg.Error as error:
            return Outcome(error=_refused(error))
        with connection:
            return run_statements(connection, statement)

    def dump(self, instance: str, target: Path) -> None:
        """Write every database and all roles with their passwords, with pg_dump and pg_dumpall."""
        target.mkdir(parents=True, exist_ok=True)
        for name in self.databases(instance):
            file = target / (quote(name, safe="") + DUMP)
            self._client(instance, "pg_dump", "-Fc", "-f", str(file), "-d", _named(name))
        text = self._client(instance, "pg_dumpall", "--roles-only", "-l", REFUGE)
        # the administrator is there already wherever this is restored
        lines = [line for line in text.splitlines() if line != f"CREATE ROLE {ADMIN};"]
        (target / ROLES).write_text("\n".join(lines) + "\n")
        (target / ROLES).chmod(0o600)

    def restore(self, instance: str, source: Path) -> None:
        """Replace all that is in the instance; IAM users keep the instance's own passwords."""
        if not (source / ROLES).is_file():
            raise DatabaseError(f"there is no dump of PostgreSQL in {source.name}")
        with self._admin(instance, REFUGE) as admin:
            roles.clear(admin)
        self._client(
            instance, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(source / ROLES)
        )
        for file in sorted(source.glob(f"*{DUMP}")):
            self._client(instance, "pg_restore", "-C", "-e", "-d", REFUGE, str(file))
        with self._admin(instance) as admin:
            for user in roles.iam_users(admin):
                password = self.iam_password(instance, user)
                roles.set_user(admin, Login(user, iam=True, password=password), revoke=False)

    def _client(self, instance: str, program: str, *words: str) -> str:
        """Run one of PostgreSQL's client programs as the administrator."""
        file = self._programs.installations[self._read(instance)["version"]].program(program)
        who = {
            "PGHOST": str(self.socket_directory(instance)),
            "PGUSER": ADMIN,
            "PGDATABASE": REFUGE,
            "PGPASSWORD": self._places.password(ADMIN),
        }
        return self._run([str(file), *words], f"run {program}", who)

    def _initialise(self, version: str, data: Path, runtime: Path) -> list[str]:
        secret = self._places.secret_file(runtime, "superuser", self._places.password(ADMIN))
        words = ["-U", ADMIN, "--auth=scram-sha-256", f"--pwfile={secret}", "--wal-segsize=1"]
        words += ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        return self._argv(version, "initdb", words, data, runtime)

    def _command(self, record: dict[str, Any], data: Path, runtime: Path) -> list[str]:
        settings = {**SETTINGS, "unix_socket_directories": str(runtime), **record["options"]}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return self._argv(record["version"], "postgres", words, data, runtime)

    def _argv(
        self, version: str, program: str, words: list[str], data: Path, runtime: Path
    ) -> list[str]:
        install = self._programs.installations[version]
        return self._places.argv(
            install.program(program), ["-D", "{data}", *words], data, runtime, install.libraries
        )

    def _lay_out(self, instance: str) -> None:
        with self._admin(instance) as admin:
            roles.lay_out(admin)

    def _answers(self, instance: str) -> bool:
        try:
            self._superuser(instance, REFUGE).close()
        except psycopg.OperationalError:
            return False
        return True

    def _superuser(self, instance: str, database: str) -> roles.Admin:
        return self._connect(
            instance, database=database, user=ADMIN, password=self._places.password(ADMIN)
        )

    @contextmanager
    def _admin(self, instance: str, database: str = "postgres") -> Iterator[roles.Admin]:
        """Connect as the superuser; what PostgreSQL refuses becomes a DatabaseError."""
        try:
            # the server is not restarted meanwhile
            with self._lock(instance), self._superuser(instance, database) as admin:
                yield admin
        except psycopg.Error as error:
            raise _refused(error) from error

    def _connect(self, instance: str, *, database: str, user: str, password: str) -> roles.Admin:
        with self._lock(instance):  # a server that is being restarted is waited for
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


def _named(database: str) -> str:
    """Return a connection string of the database alone, whatever its name looks like."""
    return psycopg.conninfo.make_conninfo(dbname=database)
