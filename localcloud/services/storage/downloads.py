"""Sending the bytes of an object: whole, in part, and unpacked."""

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from pathlib import Path

from localcloud.errors import ApiError
from localcloud.service import Call, Download
from localcloud.services.storage import views
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.shelf import Entry

_IN_MEMORY = 1 << 20
"""Contents up to this size are read at once, and no file has to stay behind for them."""

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def wants_media(call: Call) -> bool:
    """Say whether a call asks for the bytes and not for the metadata."""
    return bool(call.get("alt") == "media")


def send(depot: Depot, entry: Entry, headers: Mapping[str, str]) -> Download:
    """Return the bytes of a generation as far as the ``Range`` header asks for them."""
    answer = _headers(entry)
    kind = entry.resource.get("contentType", "application/octet-stream")
    path = depot.content(entry.blob)
    if _unpack(entry, headers):
        answer.pop("content-encoding")
        plain = _unpacked(depot, entry)
    else:
        plain = None
    if plain is not None:
        answer |= {"warning": "214 UploadServer gunzipped", "vary": "Accept-Encoding"}
        return Download(plain, kind, answer)
    source = path.read_bytes() if entry.size <= _IN_MEMORY else path
    stretch = _stretch(headers.get("range"), entry.size)
    if stretch is None:
        return Download(source, kind, answer)
    start, end = stretch
    answer["content-range"] = f"bytes {start}-{end - 1}/{entry.size}"
    return Download(source, kind, answer, 206, start, end)


def _unpack(entry: Entry, headers: Mapping[str, str]) -> bool:
    # Decompressive transcoding: who cannot read gzip gets the bytes as they were before.
    return (
        entry.resource.get("contentEncoding") == "gzip"
        and "gzip" not in headers.get("accept-encoding", "")
        and "no-transform" not in entry.resource.get("cacheControl", "")
    )


def _unpacked(depot: Depot, entry: Entry) -> Path | None:
    """Return a file of the unpacked bytes that goes by itself; None if they cannot be unpacked."""

    def pieces() -> Iterator[bytes]:
        with gzip.open(depot.content(entry.blob)) as packed:
            while piece := packed.read(_IN_MEMORY):
                yield piece

    try:
        blob = depot.write(pieces())
    except (EOFError, OSError, zlib.error):
        # Said to be packed and is not: it is sent as it lies there.
        return None
    depot.discard(blob)
    return depot.content(blob)


def _stretch(asked: str | None, size: int) -> tuple[int, int] | None:
    found = _RANGE.fullmatch((asked or "").replace(" ", ""))
    # Anything else, several stretches too, is answered with the whole.
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if start >= size or (first and last and int(last) < start) or end <= start:
        raise ApiError(
            416,
            "The requested range cannot be satisfied.",
            status="OUT_OF_RANGE",
            reason="requestedRangeNotSatisfiable",
            headers={"content-range": f"bytes */{size}"},
        )
    return start, end


def _headers(entry: Entry) -> dict[str, str]:
    resource = entry.resource
    sums = [f"crc32c={resource['crc32c']}"]
    if "md5Hash" in resource:
        sums.append(f"md5={resource['md5Hash']}")
    headers = {
        "x-goog-hash": ",".join(sums),
        "x-goog-generation": str(entry.generation),
        "x-goog-metageneration": str(entry.metageneration),
        "x-goog-storage-class": resource["storageClass"],
        "x-goog-stored-content-length": resource["size"],
        "x-goog-stored-content-encoding": resource.get("contentEncoding", "identity"),
        "etag": entry.etag,
        "last-modified": formatdate(views.moment(resource["updated"]), usegmt=True),
        "accept-ranges": "bytes",
    }
    for key, header in (
        ("contentEncoding", "content-encoding"),
        ("contentDisposition", "content-disposition"),
        ("contentLanguage", "content-language"),
        ("cacheControl", "cache-control"),
    ):
        if key in resource:
            headers[header] = resource[key]
    return headers
