"""Stand-in for Cloud SQL's machines: remembers users and databases, runs no server, executes no SQL."""

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.machines.databases.contract import (
    SUPERUSER_ROLE,
    DatabaseError,
    Login,
    Outcome,
    ResultSet,
    Statement,
)
from localcloud.machines.databases.mysql_programs import VERSIONS
from localcloud.machines.databases.postgres_programs import WHEELS

# engine -> the databases and the user of a new instance, with the host he may come from
_NEW = {
    "POSTGRES": (("postgres",), ("postgres", "")),
    "MYSQL": (("information_schema", "mysql", "performance_schema", "sys"), ("root", "%")),
}


@dataclass
class _Server:
    version: str
    databases: list[str]
    users: dict[tuple[str, str], list[str]]
    runs: bool = True
    statements: list[Statement] = field(default_factory=list)


class PaperDatabases:
    """Instances that exist on paper only, for simulations; no wheel and no package is needed."""

    def __init__(self) -> None:
        self._servers: dict[str, _Server] = {}
        self._lock = threading.RLock()

    def refusal(self, version: str) -> str | None:
        """Accept what could be had if everything was installed: nothing is run."""
        if version in (*WHEELS, *VERSIONS):
            return None
        return f"the local cloud has no server for {version}"

    def installed_version(self, version: str) -> str:
        """Return a first minor version."""
        return f"{version}_1"

    def create(self, instance: str, version: str, *, options: dict[str, str]) -> None:
        """Remember the instance."""
        del options
        databases, user = _NEW[version.partition("_")[0]]
        with self._lock:
            self._servers[instance] = _Server(
                version, databases=list(databases), users={user: [SUPERUSER_ROLE]}
            )

    def configure(self, instance: str, options: dict[str, str]) -> None:
        """Accept the settings of a known instance."""
        del options
        self._server(instance)

    def start(self, instance: str) -> None:
        """Remember that it runs."""
        self._server(instance).runs = True

    def stop(self, instance: str) -> None:
        """Remember that it does not run."""
        self._server(instance).runs = False

    def delete(self, instance: str) -> None:
        """Forget the instance."""
        with self._lock:
            self._servers.pop(instance, None)

    def socket_directory(self, instance: str) -> Path:
        """Name a directory that does not exist: nothing listens in it."""
        return Path("/nonexistent") / instance

    def socket(self, instance: str) -> Path:
        """Name a socket that does not exist."""
        return self.socket_directory(instance) / "socket"

    def iam_password(self, instance: str, user: str) -> str:
        """Make something up: nobody logs in."""
        return f"{instance} {user}"

    def databases(self, instance: str) -> list[str]:
        """Name the databases."""
        return list(self._server(instance).databases)

    def collations(self, instance: str) -> dict[str, tuple[str, str]]:
        """Know nothing of sorting."""
        self._server(instance)
        return {}

    def create_database(
        self, instance: str, name: str, charset: str = "", collation: str = ""
    ) -> None:
        """Remember a database."""
        del charset, collation
        server = self._server(instance)
        if name in server.databases:
            raise DatabaseError(f'database "{name}" already exists', sqlstate="42P04")
        server.databases.append(name)

    def alter_database(self, instance: str, name: str, charset: str, collation: str) -> None:
        """Change nothing: how a database sorts is not remembered."""
        del name, charset, collation
        self._server(instance)

    def check_drop_database(self, instance: str, name: str) -> None:
        """Find nobody connected."""
        del name
        self._server(instance)

    def drop_database(self, instance: str, name: str) -> None:
        """Forget a database."""
        server = self._server(instance)
        if name not in server.databases:
            raise DatabaseError(f'database "{name}" does not exist', sqlstate="3D000")
        server.databases.remove(name)

    def users(self, instance: str) -> list[tuple[str, str]]:
        """Name the users."""
        return sorted(self._server(instance).users)

    def set_user(self, instance: str, login: Login, *, revoke: bool = False) -> None:
        """Remember a user's memberships; passwords are not kept."""
        held, key = self._server(instance).users, self._key(instance, login.name, login.host)
        before = [] if revoke else held.get(key, [])
        held[key] = sorted({*before, *login.roles})

    def memberships(self, instance: str, user: str, host: str = "") -> list[str]:
        """Name the roles the user was given."""
        return list(self._server(instance).users.get(self._key(instance, user, host), []))

    def check_drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Find nothing that depends on the user."""
        del name, host
        self._server(instance)

    def drop_user(self, instance: str, name: str, host: str = "") -> None:
        """Forget a user."""
        if self._server(instance).users.pop(self._key(instance, name, host), None) is None:
            raise DatabaseError(f'role "{name}" does not exist', sqlstate="42704")

    def execute(self, instance: str, statement: Statement) -> Outcome:
        """Keep the text and answer as if it had no result."""
        self._server(instance).statements.append(statement)
        return Outcome(results=(ResultSet("OK"),))

    def dump(self, instance: str, target: Path) -> None:
        """Write down what is remembered."""
        server = self._server(instance)
        target.mkdir(parents=True, exist_ok=True)
        (target / "paper.json").write_text(
            json.dumps([server.databases, list(server.users.items())])
        )

    def restore(self, instance: str, source: Path) -> None:
        """Remember what was written down instead."""
        server = self._server(instance)
        server.databases, users = json.loads((source / "paper.json").read_text())
        server.users = {(name, host): roles for (name, host), roles in users}

    def resume(self) -> None:
        """Start nothing: what is on paper does not survive a restart."""

    def close(self) -> None:
        """Stop nothing."""

    def _key(self, instance: str, name: str, host: str) -> tuple[str, str]:
        mysql = self._server(instance).version.startswith("MYSQL")
        return name, host or "%" if mysql else ""

    def _server(self, instance: str) -> _Server:
        try:
            return self._servers[instance]
        except KeyError:
            raise DatabaseError(f"there is no server for {instance}") from None
