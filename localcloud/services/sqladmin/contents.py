"""What is in an instance, moved elsewhere: the server's dump, and what the API knows beside it.

Backups, restores and clones are all this: databases with their rows, users with their passwords.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.services.sqladmin.names import server_says

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Resource
    from localcloud.store import Collection

PARTS = ("databases", "users")


def dump(cloud: Cloud, key: str, number: str) -> None:
    """Write what is in an instance into the backup of this number."""
    _dump(cloud, key, folder(cloud, number))
    _kept(cloud).put(number, {"rows": _rows(cloud, key)})


def restore(cloud: Cloud, key: str, number: str) -> None:
    """Replace what is in an instance by what is in a backup."""
    kept = _kept(cloud).find(number) or {"rows": {}}
    _restore(cloud, key, folder(cloud, number), kept["rows"])


def copy(cloud: Cloud, source: str, target: str) -> None:
    """Replace what is in one instance by what is in another."""
    rows = _rows(cloud, source)
    with tempfile.TemporaryDirectory(dir=cloud.state, prefix="clone-") as place:
        _dump(cloud, source, Path(place))
        _restore(cloud, target, Path(place), rows)


def forget(cloud: Cloud, number: str) -> None:
    """Remove the files of a backup."""
    shutil.rmtree(folder(cloud, number), ignore_errors=True)
    if _kept(cloud).find(number) is not None:
        _kept(cloud).delete(number)


def folder(cloud: Cloud, number: str) -> Path:
    """Return where the files of a backup lie."""
    return cloud.state / "backups" / number


def size(cloud: Cloud, number: str) -> int:
    """Return how many bytes a backup has."""
    return sum(file.stat().st_size for file in folder(cloud, number).rglob("*") if file.is_file())


def _dump(cloud: Cloud, key: str, target: Path) -> None:
    with server_says("back up the instance"):
        cloud.machines.databases.dump(_connection(cloud, key), target)


def _restore(cloud: Cloud, key: str, source: Path, rows: Resource) -> None:
    servers, connection = cloud.machines.databases, _connection(cloud, key)
    with server_says("restore the instance"):
        servers.restore(connection, source)
    store = cloud.store.of("sqladmin")
    with cloud.store.lock():
        for part in _rows(cloud, key):
            store.delete(f"{key}/{part}")
        for part, row in rows.items():
            store.put(f"{key}/{part}", row)


def _rows(cloud: Cloud, key: str) -> Resource:
    """Return the rows of an instance that go with its contents, by the end of their key."""
    store = cloud.store.of("sqladmin")
    return {
        name.removeprefix(f"{key}/"): row
        for part in PARTS
        for name, row in store.under(f"{key}/{part}/")
    }


def _connection(cloud: Cloud, key: str) -> str:
    return str(cloud.store.of("sqladmin").fetch(key)["connectionName"])


def _kept(cloud: Cloud) -> Collection:
    return cloud.store.of("sqladmin.contents")
