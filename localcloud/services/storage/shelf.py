"""Buckets and objects as values: found, put and removed in the depot by name."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from localcloud.errors import ApiError
from localcloud.services.storage import names
from localcloud.services.storage.depot import Depot

Resource = dict[str, Any]


@dataclass(frozen=True)
class Bucket:
    """One bucket: what it was given, and the numbers it has now."""

    key: int
    name: str
    generation: int
    metageneration: int
    project: str
    purge_at: float | None
    resource: Resource

    @property
    def etag(self) -> str:
        """The metageneration as an opaque text."""
        return names.bucket_etag(self.metageneration)


@dataclass(frozen=True)
class Entry:
    """One generation of an object: live, noncurrent or softly deleted (then with purge_at)."""

    bucket: int
    name: str
    generation: int
    metageneration: int
    live: bool
    purge_at: float | None
    blob: str
    resource: Resource

    @property
    def etag(self) -> str:
        """Generation and metageneration as an opaque text."""
        return names.object_etag(self.generation, self.metageneration)

    @property
    def size(self) -> int:
        """The number of bytes of the content."""
        return int(self.resource["size"])


def no_bucket() -> ApiError:
    """Return the refusal for a bucket that is not there."""
    return ApiError(404, "The specified bucket does not exist.", reason="notFound")


def no_object(bucket: str, name: str) -> ApiError:
    """Return the refusal for an object, or a generation of it, that is not there."""
    return ApiError(404, f"No such object: {bucket}/{name}", reason="notFound")


# Buckets


def _bucket(row: sqlite3.Row) -> Bucket:
    fields = {key: row[key] for key in row.keys() if key != "resource"}  # noqa: SIM118 - not a dict
    return Bucket(**fields, resource=json.loads(row["resource"]))


def find_bucket(depot: Depot, name: str) -> Bucket | None:
    """Return the live bucket called *name*, or None."""
    row = depot.row("SELECT * FROM buckets WHERE name = ? AND purge_at IS NULL", name)
    return _bucket(row) if row else None


def fetch_bucket(depot: Depot, name: str) -> Bucket:
    """Return the live bucket called *name*; 404 if there is none."""
    found = find_bucket(depot, name)
    if found is None:
        raise no_bucket()
    return found


def deleted_bucket(depot: Depot, name: str, generation: int) -> Bucket:
    """Return a softly deleted bucket; 404 if there is none of that generation any more."""
    row = depot.row(
        "SELECT * FROM buckets WHERE name = ? AND generation = ? AND purge_at > ?",
        name,
        generation,
        depot.now(),
    )
    if row is None:
        raise no_bucket()
    return _bucket(row)


def list_buckets(depot: Depot, project: str, *, deleted: bool) -> list[Bucket]:
    """Return a project's buckets in the order of their names: the live or the deleted ones."""
    condition = "purge_at > ?" if deleted else "purge_at IS NULL AND ? IS NOT NULL"
    query = f"SELECT * FROM buckets WHERE project = ? AND {condition} ORDER BY name, generation"  # noqa: S608 - two constants
    return [_bucket(row) for row in depot.rows(query, project, depot.now())]


def every_bucket(depot: Depot) -> list[Bucket]:
    """Return all live buckets."""
    return [_bucket(row) for row in depot.rows("SELECT * FROM buckets WHERE purge_at IS NULL")]


def add_bucket(depot: Depot, name: str, project: str, resource: Resource) -> Bucket:
    """Store a new bucket with a generation of its own."""
    generation = depot.next_generation()
    key = depot.execute(
        "INSERT INTO buckets (name, generation, metageneration, project, resource) "
        "VALUES (?, ?, 1, ?, ?)",
        name,
        generation,
        project,
        json.dumps(resource),
    )
    return Bucket(key, name, generation, 1, project, None, resource)


def save_bucket(depot: Depot, bucket: Bucket) -> Bucket:
    """Store the changed *bucket* under the next metageneration."""
    changed = replace(bucket, metageneration=bucket.metageneration + 1)
    depot.execute(
        "UPDATE buckets SET metageneration = ?, purge_at = ?, resource = ? WHERE key = ?",
        changed.metageneration,
        changed.purge_at,
        json.dumps(changed.resource),
        changed.key,
    )
    return changed


def drop_bucket(depot: Depot, bucket: Bucket) -> None:
    """Remove *bucket* for good, with what was softly deleted in it."""
    for row in depot.rows("SELECT blob FROM objects WHERE bucket = ?", bucket.key):
        depot.discard(row["blob"])
    depot.execute("DELETE FROM objects WHERE bucket = ?", bucket.key)
    depot.execute("DELETE FROM buckets WHERE key = ?", bucket.key)


def is_empty(depot: Depot, bucket: Bucket) -> bool:
    """Say whether nothing is left but softly deleted objects."""
    query = "SELECT 1 FROM objects WHERE bucket = ? AND purge_at IS NULL LIMIT 1"
    return depot.row(query, bucket.key) is None


# Objects


def _entry(row: sqlite3.Row) -> Entry:
    fields = {key: row[key] for key in row.keys() if key != "resource"}  # noqa: SIM118 - not a dict
    fields["live"] = bool(fields["live"])
    return Entry(**fields, resource=json.loads(row["resource"]))


def live_entry(depot: Depot, bucket: Bucket, name: str) -> Entry | None:
    """Return the live generation of an object, or None."""
    query = "SELECT * FROM objects WHERE bucket = ? AND name = ? AND live = 1"
    row = depot.row(query, bucket.key, name)
    return _entry(row) if row else None


def find_entry(depot: Depot, bucket: Bucket, name: str, generation: int | None) -> Entry | None:
    """Return the named generation, live or noncurrent; without a number, the live one."""
    if generation is None:
        return live_entry(depot, bucket, name)
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND name = ? AND generation = ? "
        "AND purge_at IS NULL"
    )
    row = depot.row(query, bucket.key, name, generation)
    return _entry(row) if row else None


def fetch_entry(depot: Depot, bucket: Bucket, name: str, generation: int | None) -> Entry:
    """Return the named generation, live or noncurrent, or the live one; 404 if there is none."""
    found = find_entry(depot, bucket, name, generation)
    if found is None:
        raise no_object(bucket.name, name)
    return found


def entries_below(depot: Depot, bucket: Bucket, prefix: str) -> list[Entry]:
    """Return the live objects whose names begin with *prefix*."""
    found = []
    for entry in entries_from(depot, bucket, (prefix, 0), kind="live"):
        if not entry.name.startswith(prefix):
            break
        found.append(entry)
    return found


def deleted_entry(depot: Depot, bucket: Bucket, name: str, generation: int) -> Entry:
    """Return a softly deleted generation; 404 if it is not there, or no longer."""
    query = (
        "SELECT * FROM objects WHERE bucket = ? AND name = ? AND generation = ? AND purge_at > ?"
    )
    row = depot.row(query, bucket.key, name, generation, depot.now())
    if row is None:
        raise no_object(bucket.name, name)
    return _entry(row)


def add_entry(depot: Depot, entry: Entry) -> None:
    """Store a new generation."""
    depot.execute(
        "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        entry.bucket,
        entry.name,
        entry.generation,
        entry.metageneration,
        int(entry.live),
        entry.purge_at,
        entry.blob,
        json.dumps(entry.resource),
    )


def save_entry(depot: Depot, entry: Entry) -> Entry:
    """Store the changed metadata of a generation."""
    depot.execute(
        "UPDATE objects SET metageneration = ?, live = ?, purge_at = ?, resource = ? "
        "WHERE bucket = ? AND name = ? AND generation = ?",
        entry.metageneration,
        int(entry.live),
        entry.purge_at,
        json.dumps(entry.resource),
        entry.bucket,
        entry.name,
        entry.generation,
    )
    return entry


def drop_entry(depot: Depot, entry: Entry) -> None:
    """Remove a generation for good, its content too."""
    depot.execute(
        "DELETE FROM objects WHERE bucket = ? AND name = ? AND generation = ?",
        entry.bucket,
        entry.name,
        entry.generation,
    )
    depot.discard(entry.blob)


def drop_expired(depot: Depot) -> None:
    """Remove for good what was softly deleted long enough ago."""
    now = depot.now()
    for row in depot.rows("SELECT * FROM buckets WHERE purge_at <= ?", now):
        drop_bucket(depot, _bucket(row))
    for row in depot.rows("SELECT * FROM objects WHERE purge_at <= ?", now):
        drop_entry(depot, _entry(row))


_KINDS = {
    "live": "live = 1",
    "versions": "purge_at IS NULL",
    "deleted": "purge_at IS NOT NULL",
}


def entries_from(
    depot: Depot, bucket: Bucket, start: tuple[str, int], *, kind: str
) -> Iterator[Entry]:
    """Yield generations in the order of name and number, from *start* on, in batches."""
    query = (
        f"SELECT * FROM objects WHERE bucket = ? AND (name, generation) >= (?, ?) "  # noqa: S608 - constants of this module
        f"AND {_KINDS[kind]} ORDER BY name, generation LIMIT 500"
    )
    while True:
        rows = depot.rows(query, bucket.key, *start)
        yield from map(_entry, rows)
        if not rows:
            return
        start = (rows[-1]["name"], rows[-1]["generation"] + 1)
