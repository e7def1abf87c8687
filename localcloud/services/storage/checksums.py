"""crc32c and md5, in the base64 form the API writes them."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c

from localcloud.errors import ApiError

_CHUNK = 1 << 20


class Sums(NamedTuple):
    """Both checksums of some bytes, in base64."""

    crc32c: str
    md5: str


def of_file(path: Path) -> Sums:
    """Return the checksums of a file, read in pieces so that memory stays flat."""
    with path.open("rb") as file:
        return of_pieces(iter(lambda: file.read(_CHUNK), b""))


def of_pieces(pieces: Iterable[bytes]) -> Sums:
    """Return the checksums of *pieces* joined together."""
    # The library has no types, so to mypy its class is anything.
    make: Any = google_crc32c.Checksum
    crc = make()
    # The API's choice, and no secret depends on it.
    md5 = hashlib.md5(usedforsecurity=False)
    for piece in pieces:
        crc.update(piece)
        md5.update(piece)
    return Sums(base64.b64encode(crc.digest()).decode(), base64.b64encode(md5.digest()).decode())


def check(sums: Sums, metadata: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Refuse an upload whose bytes are not what its metadata or headers announce."""
    announced = _from_headers(headers)
    for key, header, actual, label in (
        ("crc32c", "crc32c", sums.crc32c, "CRC32C"),
        ("md5Hash", "md5", sums.md5, "MD5 hash"),
    ):
        for wanted in (metadata.get(key), announced.get(header)):
            if wanted and wanted != actual:
                message = f'Provided {label} "{wanted}" doesn\'t match calculated {label} '
                raise ApiError(400, f'{message}"{actual}".', reason="invalid")


def _from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    announced: dict[str, str] = {}
    if "content-md5" in headers:
        announced["md5"] = headers["content-md5"].strip()
    for part in headers.get("x-goog-hash", "").split(","):
        kind, _, value = part.strip().partition("=")
        if value:
            announced[kind] = value
    return announced
