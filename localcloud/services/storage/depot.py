"""Where buckets and objects are kept: rows in SQLite, and one file per content.

A content is written and synced before the row that names it is committed, so what was
acknowledged is there after the process is killed, and a file without a row is only litter,
swept at the next start.
"""

import os
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, project TEXT NOT NULL, purge_at REAL, resource TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS live_buckets ON buckets (name) WHERE purge_at IS NULL;
CREATE TABLE IF NOT EXISTS objects (
    bucket INTEGER NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL,
    metageneration INTEGER NOT NULL, live INTEGER NOT NULL, purge_at REAL,
    blob TEXT NOT NULL, resource TEXT NOT NULL, PRIMARY KEY (bucket, name, generation));
CREATE UNIQUE INDEX IF NOT EXISTS live_objects ON objects (bucket, name) WHERE live = 1;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, request TEXT NOT NULL,
    received INTEGER NOT NULL, finished TEXT);
CREATE TABLE IF NOT EXISTS multiparts (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, began REAL NOT NULL,
    request TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
    upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
    md5 TEXT NOT NULL, written REAL NOT NULL, PRIMARY KEY (upload, number));
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""

_LITTER_SECONDS = 60.0
"""How long a replaced content stays on disk for downloads that have begun."""


class Depot:
    """One cloud's buckets and objects, under one lock.

    Args:
        folder: where the database and the contents live.
        now: the cloud's clock, in seconds since the epoch.
        told: gets what ``tell`` gathered once the transaction is committed.
    """

    def __init__(
        self, folder: Path, now: Callable[[], float], told: Callable[[list[Any]], None]
    ) -> None:
        self.now = now
        self._told = told
        self.round: int | None = None
        self._news: list[Any] = []
        self._contents = folder / "contents"
        self._parts = folder / "parts"
        for made in (self._contents, self._parts):
            made.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        self._litter: list[tuple[float, str]] = []
        self._discarded: list[str] = []
        self._session_locks = [threading.Lock() for _ in range(64)]
        self._db = sqlite3.connect(
            folder / "storage.db", isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        # A commit reaches the kernel, which outlives kill -9; it need not reach the platter.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_SCHEMA)
        self._sweep()

    def close(self) -> None:
        """Let go of the database file."""
        with self._lock:
            self._db.close()

    def tell(self, event: Any) -> None:
        """Have an event told to whoever wants to know, if the transaction comes to its end."""
        self._news.append(event)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock from the check of a precondition to the commit; undo it all on an error."""
        news: list[Any] = []
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:  # whatever it was, half a change must not be kept
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                    self._discarded.clear()
                    self._news.clear()
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")
                self._empty_litter()
                news, self._news = self._news, news
        if news:
            self._told(news)

    def execute(self, statement: str, *values: Any) -> int:
        """Run a statement inside a transaction and return the last row id."""
        with self._lock:
            return int(self._db.execute(statement, values).lastrowid or 0)

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of *query*."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def row(self, query: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of *query*, or None."""
        with self._lock:
            found = self._db.execute(query, values).fetchone()
        return found if isinstance(found, sqlite3.Row) else None

    def next_generation(self) -> int:
        """Return a generation number: the time in microseconds, never the same one twice."""
        with self.transaction():
            row = self.row("SELECT value FROM numbers WHERE name = 'generation'")
            number = max(int(self.now() * 1e6), (row["value"] if row else 0) + 1)
            self.execute("INSERT OR REPLACE INTO numbers VALUES ('generation', ?)", number)
            return number

    # Contents

    def content(self, blob: str) -> Path:
        """Return the file of a content."""
        return self._contents / blob[:2] / blob

    def take(self, path: Path) -> str:
        """Make the synced file at *path* a content, moving it, and return the content's name."""
        blob, target = self._new_content()
        try:
            path.rename(target)
        except OSError:
            # The spool may lie on another file system.
            shutil.copyfile(path, target)
            sync(target)
            path.unlink()
        return blob

    def write(self, pieces: Iterable[bytes]) -> str:
        """Write a new content from *pieces* and return its name."""
        blob, target = self._new_content()
        with target.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        sync(target)
        return blob

    def join(self, blobs: Iterable[str]) -> str:
        """Write a new content: the given ones, one after the other."""
        joined, target = self._new_content()
        with target.open("wb") as file:
            for blob in blobs:
                with self.content(blob).open("rb") as part:
                    shutil.copyfileobj(part, file, 1 << 20)
        sync(target)
        return joined

    def duplicate(self, blob: str) -> str:
        """Give a content a second name that lives on its own; no bytes are copied."""
        copy, target = self._new_content()
        os.link(self.content(blob), target)
        return copy

    def discard(self, blob: str) -> None:
        """Remove a content a while after the transaction, when its last readers are done."""
        self._discarded.append(blob)

    def part(self, session: str) -> Path:
        """Return the file in which a resumable upload gathers its bytes."""
        return self._parts / session

    def session_lock(self, session: str) -> threading.Lock:
        """Return the lock under which a resumable upload takes its chunks one by one."""
        return self._session_locks[hash(session) % len(self._session_locks)]

    def _new_content(self) -> tuple[str, Path]:
        blob = uuid.uuid4().hex
        target = self.content(blob)
        target.parent.mkdir(exist_ok=True)
        return blob, target

    def _empty_litter(self) -> None:
        # Real time: this is about open files of this process, not about the cloud's clock.
        now = time.monotonic()
        self._litter.extend((now + _LITTER_SECONDS, blob) for blob in self._discarded)
        self._discarded.clear()
        while self._litter and self._litter[0][0] <= now:
            self.content(self._litter.pop(0)[1]).unlink(missing_ok=True)

    def _sweep(self) -> None:
        query = "SELECT blob FROM objects UNION ALL SELECT blob FROM parts"
        kept = {row["blob"] for row in self.rows(query)}
        for file in self._contents.glob("*/*"):
            if file.name not in kept:
                file.unlink()
        open_sessions = {
            row["id"] for row in self.rows("SELECT id FROM sessions WHERE finished IS NULL")
        }
        for file in self._parts.iterdir():
            if file.name not in open_sessions:
                file.unlink()


def append(part: Path, source: Path, *, offset: int, skip: int) -> int:
    """Put *source* from byte *skip* on at *offset* of *part*, synced, and return the new length.

    *part* must be there. Bytes beyond *offset* are of a chunk that was never acknowledged: they are overwritten.
    """
    if offset == 0 and skip == 0 and part.stat().st_dev == source.stat().st_dev:
        # The first chunk, which often is all there is: nothing is copied.
        sync(source)
        source.replace(part)
        return part.stat().st_size
    with part.open("r+b") as file, source.open("rb") as chunk:
        file.truncate(offset)
        file.seek(offset)
        chunk.seek(skip)
        shutil.copyfileobj(chunk, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def sync(path: Path) -> None:
    """Make sure that the bytes of a file are on disk: before any row names it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
