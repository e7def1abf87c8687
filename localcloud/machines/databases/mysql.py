"""Cloud SQL for MySQL through MariaDB: one server per instance, reachable by its unix socket only.

Cloud Run mounts the socket itself at /cloudsql/P:R:I.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
from pymysql.constants import CLIENT, CR

from localcloud.machines.databases import mysql_users as accounts
from localcloud.machines.databases.contract import DatabaseError, Login, Outcome, Statement
from localcloud.machines.databases.mysql_programs import Programs
from localcloud.machines.databases.mysql_statements import refused, run_statements
from localcloud.machines.databases.places import ADMIN, Places
from localcloud.machines.databases.servers import DatabaseServers

SETTINGS = {
    "bind-address": "127.0.0.1",
    "skip-networking": "ON",
    "skip-name-resolve": "ON",
    "performance-schema": "OFF",
    "innodb-buffer-pool-size": "32M",
    "innodb-log-file-size": "8M",
    # each commit reaches the system, and no commit waits for the disk
    "innodb-flush-log-at-trx-commit": "2",
    "innodb-flush-method": "nosync",
    "table-open-cache": "400",
    # as MySQL 8 has them
    "character-set-server": "utf8mb4",
    "collation-server": accounts.NEAREST["utf8mb4_0900_ai_ci"],
    "sql-mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_AUTO_CREATE_USER",
}
PATIENCE = 10.0
USERS = "users.sql"
DUMP = ".database.sql"


class MySqlDatabases(DatabaseServers):
    """All MySQL instances of one state directory."""

    PRODUCT = "MariaDB"
    SOCKET = "mysqld.sock"
    BLOCKED = ("Unable to lock ./ibdata1", "Can't lock aria control file")

    _programs: Programs

    def __init__(self, state: Path) -> None:
        super().__init__(Places(state / "mysql"), Programs())

    def installed_version(self, version: str) -> str:
        """Return the version asked for and what stands behind it: MYSQL_8_0_MARIADB_10_11_18."""
        return f"{version}_MARIADB_{self._programs.exact.replace('.', '_')}"

    def iam_password(self, instance: str, user: str) -> str:
        """Return the internal password of an IAM user: one for all instances, to survive restores."""
        del instance
        return self._places.password("iam", user)

    def databases(self, instance: str) -> list[str]:
        """Name the databases users can see."""
        return list(self.collations(instance))

    def collations(self, instance: str) -> dict[str, tuple[str, str]]:
        """Return each database's character set and collation."""
        with self._admin(instance) as admin:
            return accounts.databases(admin)

    def create_database(
        self, instance: str, name: str, charset: str = "", collation: str = ""
    ) -> None:
        """Create a database."""
        with self._admin(instance) as admin:
            accounts.create_database(admin, name, charset, collation)

    def alter_database(self, instance: str, name: str, charset: str, collation: str) -> None:
        """Change what tables made from now on are."""
        with self._admin(instance) as admin:
            accounts.alter_database(admin, name, charset, collation)

    def check_drop_database(self, instance: str, name: str) -> None:
        """Refuse the system's own; MySQL asks nobody else."""
        self._read(instance)
        if name in accounts.SYSTEM_DATABASES:
            raise DatabaseError(f"Access to system schema '{name}' is rejected.", number=3552)

    def drop_database(self, instance: str, name: str) -> None:
        """Drop a database."""
        with self._admin(instance) as admin:
            accounts.drop_database(admin, name)

    def users(self, instance: str) -> list[tuple[str, str]]:
        """Name everybody who may log in, with the hosts he may come from."""
        with self._admin(instance) as admin:
            return accounts.users(admin)

    def set_user(self, instance: str, login: Login, *, revoke: bool = False) -> None:
        """Create the user or change him; an IAM user's password is the instance's own secret."""
        password = login.password
        if login.iam:
            password = self.iam_password(instance, login.name)
        host = login.host or accounts.ANY_HOST
        login = Login(login.name, host, iam=login.iam, password=password, roles=login.roles)
        with self._admin(instance) as admin:
            accounts.set_user(admin, login, revoke=revoke)

    def memberships(self, instance: str, user: str, host: str = "") -> list[str]:
        """Name the roles the user was given."""
        with self._admin(instance) as admin:
            return accounts.memberships(admin, user, host or accounts.ANY_HOST)

    def check_drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Raise DatabaseError when there is no such user."""
        with self._admin(instance) as admin:
            accounts.check_drop_user(admin, name, host or accounts.ANY_HOST)

    def drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Drop the user and end his connections."""
        with self._admin(instance) as admin:
            accounts.drop_user(admin, name, host or accounts.ANY_HOST)

    def execute(self, instance: str, statement: Statement) -> Outcome:
        """Run a text of SQL statements as one user, logged in as himself."""
        password = statement.password
        if password is None:
            password = self.iam_password(instance, statement.user)
        try:
            connection = self._connect(
                instance, user=statement.user, password=password, database=statement.database
            )
        except pymysql.MySQLError as error:
            return Outcome(error=refused(error))
        with connection:
            return run_statements(connection, statement)

    def dump(self, instance: str, target: Path) -> None:
        """Write every database, and the users with their passwords, with mariadb-dump."""
        target.mkdir(parents=True, exist_ok=True)
        kinds = ["--single-transaction", "--routines", "--events", "--triggers", "--hex-blob"]
        for name in self.databases(instance):
            if name not in accounts.SYSTEM_DATABASES:
                file = target / (quote(name, safe="") + DUMP)
                words = [*kinds, f"--result-file={file}", "--databases", "--", name]
                self._client(instance, "mariadb-dump", *words)
        text = self._client(instance, "mariadb-dump", "--system=users")
        # these are there already wherever this is restored
        own = tuple(f"`{name}`@" for name in accounts.INTERNAL_USERS)
        lines = [line for line in text.splitlines() if not any(name in line for name in own)]
        (target / USERS).write_text("\n".join(lines) + "\n")
        (target / USERS).chmod(0o600)

    def restore(self, instance: str, source: Path) -> None:
        """Replace all that is in the instance, users and their passwords included."""
        if not (source / USERS).is_file():
            raise DatabaseError(f"there is no dump of MySQL in {source.name}")
        client = self._programs.place("mariadb")
        with self._admin(instance) as admin:
            accounts.clear(admin)
        for file in (source / USERS, *sorted(source.glob(f"*{DUMP}"))):
            with file.open("rb") as text:
                self._client(instance, client.name, "--batch", stdin=text)

    def _client(self, instance: str, program: str, *words: str, stdin: Any = None) -> str:
        """Run one of MariaDB's client programs as the administrator."""
        line = [str(self._programs.place(program)), "--no-defaults", f"--user={ADMIN}"]
        line += [f"--socket={self.socket(instance)}", "--default-character-set=utf8mb4"]
        who = {"MYSQL_PWD": self._places.password(ADMIN)}
        return self._run([*line, *words], f"run {program}", who, stdin=stdin)

    def _initialise(self, version: str, data: Path, runtime: Path) -> list[str]:
        del version
        text = accounts.first_sql(self._places.password(ADMIN))
        first = self._places.secret_file(runtime, "first.sql", text)
        words = ["--no-defaults", "--datadir={data}", "--skip-test-db", f"--extra-file={first}"]
        words += ["--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"]
        program = self._programs.place("mariadb-install-db")
        return self._places.argv(program, words, data, runtime)

    def _command(self, record: dict[str, Any], data: Path, runtime: Path) -> list[str]:
        settings = {**SETTINGS, **record["options"]}
        words = ["--no-defaults", "--datadir={data}", f"--socket={runtime / self.SOCKET}"]
        words += ["--pid-file={data}/server.pid"]
        words += [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        return self._places.argv(self._programs.place("mariadbd"), words, data, runtime)

    def _lay_out(self, instance: str) -> None:
        with self._admin(instance) as admin:
            accounts.lay_out(admin)

    def _answers(self, instance: str) -> bool:
        try:
            self._superuser(instance).close()
        except pymysql.OperationalError:
            return False
        return True

    def _superuser(self, instance: str) -> accounts.Admin:
        return self._connect(instance, user=ADMIN, password=self._places.password(ADMIN))

    @contextmanager
    def _admin(self, instance: str) -> Iterator[accounts.Admin]:
        """Connect as the administrator; what the server refuses becomes a DatabaseError."""
        self._read(instance)
        try:
            # the server is not restarted meanwhile
            with self._lock(instance), self._superuser(instance) as admin:
                yield admin
        except pymysql.MySQLError as error:
            raise refused(error) from error

    def _connect(
        self, instance: str, *, user: str, password: str, database: str = ""
    ) -> accounts.Admin:
        connection = pymysql.connect(
            user=user,
            password=password.encode(),  # a str it would send as latin-1
            database=database or None,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=PATIENCE,
            client_flag=CLIENT.MULTI_STATEMENTS,
            conv={},  # every value as the server writes it
            defer_connect=True,
        )
        # our own: it would leave one open that nobody answers
        way = socket.socket(socket.AF_UNIX)
        try:
            way.settimeout(PATIENCE)
            with self._lock(instance):  # a server that is being restarted is waited for
                way.connect(str(self.socket(instance)))
                connection.connect(way)
        except OSError as error:
            way.close()
            raise pymysql.OperationalError(CR.CR_CONNECTION_ERROR, str(error)) from error
        except pymysql.MySQLError:
            way.close()
            raise
        return connection
