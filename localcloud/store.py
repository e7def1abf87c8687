"""Everything the local cloud remembers: resources by name, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.errors import already_exists, not_found
from localcloud.past import Past

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Resource = dict[str, Any]
"""A resource as JSON."""

_SCHEMA = """
create table if not exists resources (
  seq integer primary key autoincrement,
  api text not null,
  name text not null,
  parent text not null,
  body text not null,
  unique (api, name)
);
create index if not exists by_parent on resources (api, parent, seq);
create table if not exists numbers (
  api text not null, key text not null, value integer not null, primary key (api, key)
);
"""


class Store:
    """One file for all APIs; copies go in and copies come out, so nobody shares a dict."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Open or make the file; ``now`` dates changes for reads that lag behind."""
        self.past = Past(now)
        path.parent.mkdir(parents=True, exist_ok=True)
        # autocommit (isolation_level None): transactions are begun by lock() and nowhere else
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0

    def of(self, api: str) -> Collection:
        """Give the namespace of one API."""
        return Collection(self, api)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold off every other thread; what is written inside happens wholly or not at all."""
        with self._lock:
            outermost = self._depth == 0
            if outermost:
                self._db.execute("begin immediate")
            self._depth += 1
            try:
                yield
            except BaseException:  # whatever it was, half a change must not be kept
                if outermost and self._db.in_transaction:  # a full disk has rolled it back
                    self._db.execute("rollback")
                raise
            else:
                if outermost:
                    self._db.execute("commit")
            finally:
                self._depth -= 1

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def write(self, sql: str, *values: object) -> int:
        """Run one changing statement and say how many rows it touched."""
        with self.lock():
            return self._db.execute(sql, values).rowcount

    def read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()


class Collection:
    """The resources of one API, by full name such as ``projects/p/secrets/s``."""

    def __init__(self, store: Store, api: str) -> None:
        """Look at ``store`` through the eyes of ``api``."""
        self._store = store
        self._api = api

    def create(self, name: str, resource: Resource) -> Resource:
        """Add a resource; 409 if the name is taken."""
        with self._store.lock():
            if self.find(name) is not None:
                raise already_exists(f"Resource '{name}' already exists.")
            return self.put(name, resource)

    def fetch(self, name: str) -> Resource:
        """Give a resource; 404 if there is none."""
        found = self.find(name)
        if found is None:
            raise not_found(f"Resource '{name}' was not found.")
        return found

    def find(self, name: str) -> Resource | None:
        """Give a resource, or None."""
        text = self.raw(name)
        return None if text is None else json.loads(text)

    def raw(self, name: str) -> str | None:
        """Give a resource as the text it is stored as, for callers that keep what they parsed."""
        earlier = self._store.past.differing(self._api)
        if name in earlier:
            return earlier[name]
        rows = self._store.read(
            "select body from resources where api = ? and name = ?", self._api, name
        )
        return str(rows[0][0]) if rows else None

    def put(self, name: str, resource: Resource) -> Resource:
        """Write a resource whether or not it was there; its place in the order stays."""
        body = json.dumps(resource, separators=(",", ":"))
        self._note(name)
        self._store.write(
            "insert into resources (api, name, parent, body) values (?, ?, ?, ?) "
            "on conflict (api, name) do update set body = excluded.body",
            self._api,
            name,
            _parent(name),
            body,
        )
        decoded: Resource = json.loads(body)
        return decoded

    def update(self, name: str, fn: Callable[[Resource], Resource | None]) -> Resource:
        """Change a resource under the lock; ``fn`` may change its argument or return another."""
        with self._store.lock():
            current = self.fetch(name)
            changed = fn(current)
            return self.put(name, current if changed is None else changed)

    def delete(self, name: str) -> Resource:
        """Remove a resource and give what it was; 404 if there is none."""
        with self._store.lock():
            gone = self.fetch(name)
            self._note(name)
            self._store.write("delete from resources where api = ? and name = ?", self._api, name)
            return gone

    def delete_tree(self, name: str) -> list[str]:
        """Remove a resource with everything below it, and name what that was; 404 if it is not there."""
        with self._store.lock():
            self.delete(name)
            below = [found for found, _ in self.under(f"{name}/")]
            for found in below:
                self.delete(found)
            return below

    def children(self, prefix: str) -> list[Resource]:
        """List what is directly under a prefix such as ``projects/p/secrets/``, oldest first."""
        rows = self._store.read(
            "select name, body from resources where api = ? and parent = ? order by seq",
            self._api,
            prefix,
        )
        seen = self._as_seen(rows, lambda name: _parent(name) == prefix)
        return [json.loads(body) for _, body in seen]

    def under(self, prefix: str) -> list[tuple[str, Resource]]:
        """List everything under a prefix, at all depths, oldest first."""
        rows = self._store.read(
            "select name, body from resources where api = ? and name >= ? and name < ? "
            "order by seq",
            self._api,
            prefix,
            prefix + "\U0010ffff",
        )
        seen = self._as_seen(rows, lambda name: name.startswith(prefix))
        return [(name, json.loads(body)) for name, body in seen]

    def count(self, prefix: str) -> int:
        """Count what is directly under a prefix."""
        rows = self._store.read(
            "select count(*) from resources where api = ? and parent = ?", self._api, prefix
        )
        return int(rows[0][0])

    def next_number(self, key: str) -> int:
        """Count up from 1 under a key; a number is never given twice."""
        with self._store.lock():
            self._store.write(
                "insert into numbers values (?, ?, 1) "
                "on conflict (api, key) do update set value = value + 1",
                self._api,
                key,
            )
            rows = self._store.read(
                "select value from numbers where api = ? and key = ?", self._api, key
            )
            return int(rows[0][0])

    def lock(self) -> Any:
        """Hold the store's lock; see ``Store.lock``."""
        return self._store.lock()

    def _note(self, name: str) -> None:
        if self._store.past.kept:
            self._store.past.changed(self._api, name, self.raw(name))

    def _as_seen(
        self, rows: list[tuple[Any, ...]], belongs: Callable[[str], bool]
    ) -> list[tuple[Any, ...]]:
        """Give rows of (name, body) as this thread is to see them."""
        earlier = self._store.past.differing(self._api)
        if not earlier:
            return rows
        known = {name for name, _ in rows}
        older = [(name, earlier.get(name, body)) for name, body in rows]
        older += [(name, body) for name, body in earlier.items() if name not in known]
        return [(name, body) for name, body in older if body is not None and belongs(name)]


def _parent(name: str) -> str:
    head, slash, _ = name.rpartition("/")
    return head + slash
