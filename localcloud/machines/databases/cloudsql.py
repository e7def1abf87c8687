"""Every Cloud SQL instance of one state directory, each with the engine of its version."""

from pathlib import Path
from typing import Any

from localcloud.machines.databases.contract import Databases
from localcloud.machines.databases.mysql import MySqlDatabases
from localcloud.machines.databases.postgres import PostgresDatabases


class CloudSqlDatabases:
    """Sends what concerns an instance to the engine that has it."""

    def __init__(self, state: Path) -> None:
        self._engines: dict[str, PostgresDatabases | MySqlDatabases] = {
            "POSTGRES": PostgresDatabases(state),
            "MYSQL": MySqlDatabases(state),
        }

    def refusal(self, version: str) -> str | None:
        """Say why instances of this version cannot exist here, or None when they can."""
        engine = self._engines.get(version.partition("_")[0])
        if engine is None:
            return f"the local cloud has no server for {version}; it has PostgreSQL and MySQL"
        return engine.refusal(version)

    def installed_version(self, version: str) -> str:
        """Return the exact version that stands behind ``version``."""
        return self._engines[version.partition("_")[0]].installed_version(version)

    def create(self, instance: str, version: str, *, options: dict[str, str]) -> None:
        """Make the instance's server and start it; what an interrupted creation left is replaced."""
        self.delete(instance)
        self._engines[version.partition("_")[0]].create(instance, version, options=options)

    def delete(self, instance: str) -> None:
        """Stop the server and remove its data; harmless when there is none."""
        for engine in self._engines.values():
            engine.delete(instance)

    def resume(self) -> None:
        """Start the servers that ran when the local cloud went down."""
        for engine in self._engines.values():
            engine.resume()

    def close(self) -> None:
        """Stop all servers; they are started again by ``resume``."""
        for engine in self._engines.values():
            engine.close()

    def __getattr__(self, method: str) -> Any:
        """Find any other method of ``Databases``: all of them begin with the instance."""
        if method not in vars(Databases):
            raise AttributeError(f"databases have no {method}")

        def of_engine(instance: str, *words: Any, **named: Any) -> Any:
            return getattr(self._engine(instance), method)(instance, *words, **named)

        return of_engine

    def _engine(self, instance: str) -> PostgresDatabases | MySqlDatabases:
        mysql = self._engines["MYSQL"]
        return mysql if mysql.knows(instance) else self._engines["POSTGRES"]
