"""Resumable uploads: sessions that remember how many bytes they have, over a restart too."""

import json
import re
import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import ApiError
from localcloud.service import Resource
from localcloud.services.storage import depot as depots
from localcloud.services.storage.depot import Depot

QUANTUM = 256 * 1024
"""Every chunk but the last is a multiple of this."""

_WEEK = 7 * 86_400
"""How long a session lives (cloud.google.com/storage/docs/resumable-uploads)."""

_ALWAYS = float("inf")

_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Session:
    """An upload in progress, and the request it began with."""

    id: str
    bucket: str
    request: Resource
    received: int
    finished: Resource | None


@dataclass(frozen=True)
class Chunk:
    """What a ``Content-Range`` header says; start is None when it only asks for the state."""

    start: int | None
    size: int
    total: int | None

    @classmethod
    def read(cls, header: str | None, size: int) -> "Chunk":
        """Read the header of a request that carries *size* bytes; no header means all of them."""
        if header is None:
            return cls(0, size, size)
        found = _RANGE.fullmatch(header.strip())
        if found is None:
            raise _bad_range(header)
        first, last, whole = found.groups()
        total = None if whole == "*" else int(whole)
        if first is None:
            if size:
                raise _bad_range(header)
            return cls(None, 0, total)
        if int(last) - int(first) + 1 != size or (total is not None and int(last) >= total):
            raise _bad_range(header)
        return cls(int(first), size, total)


def begin(depot: Depot, bucket: str, request: Resource) -> str:
    """Open a session and return its id."""
    session = uuid.uuid4().hex
    with depot.transaction():
        depot.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, 0, NULL)", session, bucket, json.dumps(request)
        )
    return session


def fetch(depot: Depot, session: str) -> Session:
    """Return a session; 404 if there is none of that id."""
    row = depot.row("SELECT * FROM sessions WHERE id = ?", session)
    if row is not None and json.loads(row["request"]).get("began", _ALWAYS) + _WEEK < depot.now():
        cancel(depot, _session(row))
        raise ApiError(410, "The upload session has expired.", reason="gone")
    if row is None:
        message = "The upload session was not found, or it was cancelled."
        raise ApiError(404, message, reason="notFound")
    return _session(row)


def _session(row: sqlite3.Row) -> Session:
    finished = json.loads(row["finished"]) if row["finished"] else None
    return Session(row["id"], row["bucket"], json.loads(row["request"]), row["received"], finished)


def receive(depot: Depot, session: Session, chunk: Chunk, source: Path | None) -> bool:
    """Take a chunk; return whether the upload has all its bytes now.

    A chunk that repeats bytes adds only what is new; one that leaves a gap adds nothing, and the
    answer then tells the client from where to go on.
    """
    received = session.received
    if chunk.start is not None and chunk.start <= received:
        last = chunk.total is not None and chunk.start + chunk.size == chunk.total
        if not last and chunk.size % QUANTUM:
            message = f"Invalid request. The number of bytes uploaded is required to be equal or greater than {QUANTUM}, except for the final request (it's recommended to be the exact multiple of {QUANTUM}). The received request contained {chunk.size} bytes, which does not meet this requirement."
            raise ApiError(400, message, reason="badRequest")
        if source is not None and chunk.start + chunk.size > received:
            part = depot.part(session.id)
            skip = received - chunk.start
            part.touch()
            received = depots.append(part, source, offset=received, skip=skip)
            with depot.transaction():
                depot.execute("UPDATE sessions SET received = ? WHERE id = ?", received, session.id)
    return chunk.total is not None and received >= chunk.total


def finish(depot: Depot, session: Session, answer: Resource) -> None:
    """Close a session with what it made, so that a repeated last chunk gets the same answer."""
    depot.execute("UPDATE sessions SET finished = ? WHERE id = ?", json.dumps(answer), session.id)


def cancel(depot: Depot, session: Session) -> None:
    """Forget a session and its bytes."""
    with depot.transaction():
        depot.execute("DELETE FROM sessions WHERE id = ?", session.id)
    depot.part(session.id).unlink(missing_ok=True)


def _bad_range(header: str) -> ApiError:
    return ApiError(400, f"Failed to parse Content-Range header '{header}'.", reason="badRequest")
