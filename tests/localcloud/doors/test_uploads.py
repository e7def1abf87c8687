"""What happens to the bytes of an upload on their way to disk."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import google_crc32c
import pytest

from localcloud.doors.uploads import Spool, spooled
from localcloud.errors import ApiError
from localcloud.transport import Request

if TYPE_CHECKING:
    from pathlib import Path

MEDIA = b"line one\r\n--not the end\r\n" + bytes(range(256)) * 50


def _multipart(newline: bytes, media: bytes) -> bytes:
    return newline.join(
        [
            b"--sep",
            b"Content-Type: application/json; charset=UTF-8",
            b"",
            b'{"name": "a", "metadata": {"k": "v"}}',
            b"--sep",
            b"Content-Type: text/plain",
            b"",
            media,
            b"--sep--",
            b"",
        ]
    )


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("media", [MEDIA, b"", b"x", b"ends in newline\n", b"--sep"])
def test_multipart_is_taken_apart(tmp_path: Path, size: int, newline: bytes, media: bytes) -> None:
    """However the body is cut into chunks, the media arrives byte for byte."""
    spool = Spool(tmp_path, {"content-type": "multipart/related; boundary=sep"})
    body = _multipart(newline, media)
    for start in range(0, len(body), size):
        spool.feed(body[start : start + size])

    upload = spool.finish()

    assert upload.path.read_bytes() == media
    assert upload.size == len(media)
    assert upload.metadata == {"name": "a", "metadata": {"k": "v"}}
    assert upload.content_type == "text/plain"


def test_checksums_are_those_of_the_media(tmp_path: Path) -> None:
    """CRC32C and MD5 are what Google's clients compute."""
    spool = Spool(tmp_path, {"content-type": "text/plain"})
    spool.feed(MEDIA[:10])
    spool.feed(MEDIA[10:])

    upload = spool.finish()

    assert (
        upload.md5 == base64.b64encode(hashlib.md5(MEDIA, usedforsecurity=False).digest()).decode()
    )
    number = int.from_bytes(base64.b64decode(upload.crc32c), "big")
    assert number == google_crc32c.value(MEDIA)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        _multipart(b"\r\n", b"x").replace(b"--sep--", b""),
        _multipart(b"\r\n", b"x").replace(b'{"name"', b"{name"),
        _multipart(b"\r\n", b"x").replace(b'{"name": "a", "metadata": {"k": "v"}}', b"[]"),
    ],
)
def test_broken_multipart_is_400(tmp_path: Path, body: bytes) -> None:
    """A body that is not what its header says is the caller's mistake."""
    headers = {"content-type": "multipart/related; boundary='sep'"}
    request = Request("POST", "https://storage.googleapis.com/upload", headers, body)

    with pytest.raises(ApiError) as caught:
        spooled(request, tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert caught.value.code == 400


def test_missing_boundary_is_400(tmp_path: Path) -> None:
    """Without a boundary the parts cannot be told apart."""
    with pytest.raises(ApiError, match="boundary"):
        Spool(tmp_path, {"content-type": "multipart/related"})


def test_discarded_upload_leaves_no_file(tmp_path: Path) -> None:
    """A request that ended early leaves nothing behind."""
    spool = Spool(tmp_path, {})
    spool.feed(b"x")
    spool.discard()

    assert list(tmp_path.iterdir()) == []
