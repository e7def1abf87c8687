"""What the broker writes down: enough to go on after it was killed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.services.pubsub.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Resource = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    name TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL,
    key TEXT NOT NULL, published REAL NOT NULL, logged INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    holder TEXT NOT NULL, message INTEGER NOT NULL, acked INTEGER NOT NULL,
    attempts INTEGER NOT NULL, PRIMARY KEY (holder, message)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS holders ON deliveries (message);
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Journal:
    """Topics, subscriptions, snapshots and messages in one SQLite file.

    The broker calls it under its own lock. A *holder* is a subscription or a snapshot.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A commit reaches the kernel, which outlives kill -9; it need not reach the platter.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._depth = 0

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of what follows, or nothing."""
        if self._depth == 0:
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:  # whatever it was, half a change must not be kept
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._db.execute("COMMIT")

    # Resources

    def put(self, kind: str, resource: Resource) -> None:
        """Write a topic, a subscription or a snapshot."""
        self._db.execute(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?)",
            (resource["name"], kind, json.dumps(resource)),
        )

    def remove(self, name: str) -> None:
        """Remove a resource and what it held."""
        self._db.execute("DELETE FROM resources WHERE name = ?", (name,))
        self._db.execute("DELETE FROM deliveries WHERE holder = ?", (name,))

    def resources(self, kind: str) -> list[Resource]:
        """Return all resources of a kind in the order of their names."""
        rows = self._db.execute("SELECT body FROM resources WHERE kind = ? ORDER BY name", (kind,))
        return [json.loads(body) for (body,) in rows]

    # Messages

    def next_numbers(self, count: int) -> range:
        """Return message numbers that were never given before."""
        row = self._db.execute("SELECT value FROM numbers WHERE name = 'message'").fetchone()
        first = row[0] if row else 10_000_000_000_000_001
        self._db.execute("INSERT OR REPLACE INTO numbers VALUES ('message', ?)", (first + count,))
        return range(first, first + count)

    def add(self, messages: Iterable[Message], *, logged: bool) -> None:
        """Write messages; *logged* ones belong to their topic, acknowledged or not."""
        self._db.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (m.id, m.topic, m.data, json.dumps(m.attributes), m.key, m.published, logged)
                for m in messages
            ],
        )

    def messages(self) -> Iterator[tuple[Message, bool]]:
        """Yield all messages in order, and whether their topic logs them."""
        for number, topic, data, attributes, key, published, logged in self._db.execute(
            "SELECT * FROM messages ORDER BY id"
        ):
            message = Message(number, topic, data, json.loads(attributes), key, published)
            yield message, bool(logged)

    def unlog(self, topic: str, before: float) -> None:
        """Let go of what a topic logged before a moment."""
        self._db.execute(
            "UPDATE messages SET logged = 0 WHERE topic = ? AND logged = 1 AND published < ?",
            (topic, before),
        )
        self.drop_unheld()

    def drop_unheld(self, numbers: Iterable[int] | None = None) -> None:
        """Remove messages nobody holds and no topic logs: all of them, or those named."""
        unheld = (
            "DELETE FROM messages WHERE logged = 0 AND NOT EXISTS "
            "(SELECT 1 FROM deliveries WHERE deliveries.message = messages.id)"
        )
        if numbers is None:
            self._db.execute(unheld)
        else:
            self._db.executemany(f"{unheld} AND id = ?", [(number,) for number in numbers])

    # Deliveries

    def hold(self, holder: str, numbers: Iterable[int], *, acked: bool = False) -> None:
        """Write that a subscription still has to deliver messages, or a snapshot keeps them."""
        self._db.executemany(
            "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, 0)",
            [(holder, number, acked) for number in numbers],
        )

    def release(self, holder: str, numbers: Iterable[int], *, keep: bool = False) -> None:
        """Write that messages were acknowledged; *keep* them for a later seek."""
        pairs = [(holder, number) for number in numbers]
        if keep:
            self._db.executemany(
                "UPDATE deliveries SET acked = 1 WHERE holder = ? AND message = ?", pairs
            )
            return
        self._db.executemany("DELETE FROM deliveries WHERE holder = ? AND message = ?", pairs)
        self.drop_unheld([number for _, number in pairs])

    def attempted(self, holder: str, number: int, attempts: int) -> None:
        """Write how often a message was delivered in vain."""
        self._db.execute(
            "UPDATE deliveries SET attempts = ? WHERE holder = ? AND message = ?",
            (attempts, holder, number),
        )

    def deliveries(self, holder: str) -> list[tuple[int, bool, int]]:
        """Return (message, acked, attempts) of everything a holder has, in order."""
        rows = self._db.execute(
            "SELECT message, acked, attempts FROM deliveries WHERE holder = ? ORDER BY message",
            (holder,),
        )
        return [(number, bool(acked), attempts) for number, acked, attempts in rows]

    def replace(self, holder: str, waiting: Iterable[int], acked: Iterable[int]) -> None:
        """Write anew what a subscription has, as a seek does."""
        self._db.execute("DELETE FROM deliveries WHERE holder = ?", (holder,))
        self.hold(holder, acked, acked=True)
        self.hold(holder, waiting)
