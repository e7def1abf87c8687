"""Bodies of uploads, written to disk while their checksums are taken, so memory stays flat."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c

from localcloud.errors import ApiError, invalid
from localcloud.transport import Upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.documents.router import Route
    from localcloud.transport import Request

_MOST_PREAMBLE = 4 * 1024 * 1024
_PART_END = re.compile(rb"\r?\n\r?\n")


class Spool:
    """Takes chunks, gives an Upload; multipart/related bodies are taken apart on the way.

    gcloud separates the parts with bare line feeds, the Python client with carriage returns too.
    """

    def __init__(self, folder: Path, headers: Mapping[str, str]) -> None:
        """Open a file in ``folder`` for a request with these (lower-case) headers."""
        self._kind = headers.get("content-type", "application/octet-stream")
        boundary = _boundary(self._kind)
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix="upload-")
        self.path = Path(name)
        self._file = open(handle, "wb")  # noqa: SIM115, PTH123 - closed by finish or discard
        self._crc: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size = 0
        self._metadata: dict[str, Any] = {}
        self._delimiter = b"\n--" + boundary if boundary is not None else None
        self._preamble: bytearray | None = bytearray() if boundary is not None else None
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._preamble is not None:
            self._preamble += chunk
            if len(self._preamble) > _MOST_PREAMBLE:
                raise invalid("The metadata part of the multipart upload is too large.")
            rest = self._begin()
            if rest is None:
                return
            chunk = rest
        if self._delimiter is None:
            self._write(chunk)
            return
        # the last part ends where the body does: only the end can hold the closing delimiter
        keep = len(self._delimiter) + 16
        held = self._tail + chunk
        self._write(held[:-keep])
        self._tail = held[-keep:]

    def finish(self) -> Upload:
        """Close the file and say what is in it."""
        if self._delimiter is not None:
            end = self._tail.rfind(self._delimiter)
            if self._preamble is not None or end < 0:
                raise invalid("Malformed multipart body.")
            self._write(self._tail[:end].removesuffix(b"\r"))
        self._file.close()
        return Upload(
            path=self.path,
            size=self._size,
            crc32c=base64.b64encode(self._crc.digest()).decode(),
            md5=base64.b64encode(self._md5.digest()).decode(),
            content_type=self._kind,
            metadata=self._metadata,
        )

    def discard(self) -> None:
        """Remove the file; for a request that ended early."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._crc.update(data)
        self._md5.update(data)
        self._size += len(data)

    def _begin(self) -> bytes | None:
        """Read the metadata part and the header of the media part once both are there."""
        if self._preamble is None or self._delimiter is None:
            return None
        whole = b"\n" + bytes(self._preamble)
        first = whole.find(self._delimiter)
        second = whole.find(self._delimiter, first + 1) if first >= 0 else -1
        if second < 0:
            return None
        media_header = _PART_END.search(whole, second)
        if media_header is None:
            return None
        metadata_header = _PART_END.search(whole, first, second)
        if metadata_header is None:
            raise invalid("Malformed multipart body.")
        try:
            metadata = json.loads(whole[metadata_header.end() : second] or b"{}")
        except ValueError:
            raise invalid("Parse Error: the metadata part is not JSON.") from None
        if not isinstance(metadata, dict):
            raise invalid("Parse Error: the metadata part is not a JSON object.")
        self._metadata = metadata
        header = whole[second + len(self._delimiter) : media_header.start()].decode("latin-1")
        found = HeaderParser().parsestr(header.lstrip("\r\n"))
        self._kind = found.get("content-type", "application/octet-stream")
        self._preamble = None
        return whole[media_header.end() :]


def _boundary(content_type: str) -> bytes | None:
    # only "related" means metadata and media; a batch is "mixed" and taken apart by its handler
    if not content_type.lower().startswith("multipart/related"):
        return None
    found = re.search(r"boundary=(?:\"([^\"]+)\"|'([^']+)'|([^;\s]+))", content_type)
    if found is None:
        raise invalid("Missing multipart boundary.")
    return (found[1] or found[2] or found[3]).encode()


def is_upload(request: Request, route: Route | None) -> bool:
    """Tell whether a body is media and goes to disk, rather than JSON for the pipeline."""
    if route is None or not route.upload or request.method not in {"POST", "PUT"}:
        return False
    if route.handler is not None or request.method == "PUT":
        return True
    # the first request of a resumable upload carries the object's metadata as JSON
    return ("uploadType", "resumable") not in request.query


def spooled(request: Request, folder: Path) -> Upload:
    """Put a body that is already in memory on disk, as the in-process door needs."""
    spool = Spool(folder, request.headers)
    try:
        spool.feed(request.body)
        return spool.finish()
    except ApiError:
        spool.discard()
        raise
