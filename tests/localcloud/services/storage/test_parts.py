"""Multipart uploads of the XML API: large files in parts, in any order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import requests
from google.cloud.storage import transfer_manager

from localcloud.cloud import OWNER

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.storage import Bucket

    from localcloud.cloud import Cloud

_HOST = "https://storage.googleapis.com"


@pytest.fixture
def bearer(served: Cloud) -> dict[str, str]:
    """The owner's token as a header."""
    return {"authorization": f"Bearer {served.tokens.access_token(OWNER)}"}


def _code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_large_files_go_up_in_parts(bucket: Bucket, tmp_path: Path) -> None:
    """As transfer_manager sends them, several at a time."""
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(os.urandom(12_000_000))
    blob = bucket.blob("large")
    blob.metadata = {"a": "b"}

    transfer_manager.upload_chunks_concurrently(
        str(file), blob, chunk_size=5 * 1024 * 1024, worker_type=transfer_manager.THREAD
    )
    found = bucket.get_blob("large")
    transfer_manager.download_chunks_concurrently(
        found, str(back), chunk_size=5_000_000, worker_type=transfer_manager.THREAD
    )

    assert back.read_bytes() == file.read_bytes()
    assert (found.md5_hash, found.metadata) == (None, {"a": "b"})


def test_parts_must_fit(bucket: Bucket, bearer: dict[str, str]) -> None:
    """Their order, their tags, their size; and an aborted upload is gone."""
    url = f"{_HOST}/{bucket.name}/x"
    begun = requests.post(f"{url}?uploads", headers=bearer, timeout=10).text
    upload = begun.partition("<UploadId>")[2].partition("<")[0]

    def part(number: int | str) -> requests.Response:
        query = f"partNumber={number}&uploadId={upload}"
        return requests.put(f"{url}?{query}", b"small", headers=bearer, timeout=10)

    def complete(*numbers: int, tag: str = "") -> tuple[int, str]:
        tags = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{tag or etag}</ETag></Part>" for n in numbers
        )
        body = f"<CompleteMultipartUpload>{tags}</CompleteMultipartUpload>"
        where = f"{url}?uploadId={upload}"
        return _code(requests.post(where, body.encode(), headers=bearer, timeout=10))

    etag = part(1).headers["etag"]
    part(2)
    assert _code(part(0)) == (400, "InvalidArgument")
    assert complete(2, 1) == (400, "InvalidPartOrder")
    assert complete(1, 3) == (400, "InvalidPart")
    assert complete(1, tag='"00"') == (400, "InvalidPart")
    assert complete(1, 2) == (400, "EntityTooSmall")
    assert complete() == (400, "MalformedXML")
    listed = requests.get(f"{url}?uploadId={upload}", headers=bearer, timeout=10).text
    assert listed.count("<Part>") == 2
    assert (
        requests.delete(f"{url}?uploadId={upload}", headers=bearer, timeout=10).status_code == 204
    )
    assert complete(1) == (404, "NoSuchUpload")
    assert bucket.get_blob("x") is None
