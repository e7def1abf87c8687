"""Requests and responses as the local cloud passes them around, whatever carried them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path


class ConnectionFailed(Exception):  # noqa: N818 - says what happened, as Google's clients do
    """No answer came: the host is unknown, nothing listens there, or the reply was lost."""


class ConnectionReset(ConnectionFailed):
    """The connection was there and broke before an answer came."""


class ReplyLost(ConnectionReset):
    """The request arrived and had its effect; only the reply never came."""


@dataclass(frozen=True)
class Upload:
    """The bytes of an upload, on disk, with the checksums taken while they arrived."""

    path: Path
    size: int
    crc32c: str
    md5: str
    content_type: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Request:
    """One HTTP request."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    upload: Upload | None = None

    def __post_init__(self) -> None:
        """Take the URL apart once."""
        parts = urlsplit(self.url)
        self.headers = {name.lower(): value for name, value in self.headers.items()}
        self.host = (parts.hostname or "").lower()
        self.raw_path = parts.path
        self.query = parse_qsl(parts.query, keep_blank_values=True)

    @property
    def path(self) -> str:
        """The path with its percent signs resolved."""
        return unquote(self.raw_path)


@dataclass
class Download:
    """A body that is streamed: a file, or bytes, or a stretch of either (``end`` excluded)."""

    source: Path | bytes
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    start: int = 0
    end: int | None = None

    @property
    def size(self) -> int:
        """How many bytes will be sent."""
        whole = len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size
        return (whole if self.end is None else min(self.end, whole)) - self.start

    def read(self) -> bytes:
        """Give all of it at once, for callers without a stream."""
        if isinstance(self.source, bytes):
            return self.source[self.start : self.start + self.size]
        with self.source.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)


@dataclass
class Response:
    """One HTTP response; ``download`` replaces ``body`` when the body is streamed."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    download: Download | None = None

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


def json_response(
    status: int, body: object, headers: dict[str, str] | None = None, *, pretty: bool = True
) -> Response:
    """Wrap a JSON body the way Google's front ends send it."""
    text = json.dumps(body, indent=2 if pretty else None, ensure_ascii=False)
    return Response(
        status,
        {"content-type": "application/json; charset=UTF-8", **(headers or {})},
        (text + "\n").encode(),
    )
