"""Uploads of every kind: checksums, chunks, lost connections, restarts."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import BadRequest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.services.storage import SERVICE

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud.storage import Bucket

    from localcloud.transport import Response

QUANTUM = 256 * 1024
HOST = "https://storage.googleapis.com"


class Storage:
    """A cloud with one bucket ``b``, spoken to in HTTP without a client in between."""

    def __init__(self, folder: Path) -> None:
        """Open the state in ``folder``."""
        self.cloud = Cloud(folder, clock=VirtualClock(), only=[SERVICE])
        self.token = self.cloud.tokens.access_token(OWNER)

    def ask(self, verb: str, url: str, body: Any = b"", **headers: str) -> Response:
        """Make one request; a dict is sent as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["authorization"] = f"Bearer {self.token}"
        if isinstance(body, dict):
            sent["content-type"], body = "application/json", json.dumps(body).encode()
        where = url if url.startswith("https:") else HOST + url
        return self.cloud.request(verb, where, headers=sent, body=body)

    def begin(self, **metadata: Any) -> str:
        """Open a resumable session and return its address."""
        answer = self.ask("POST", "/upload/storage/v1/b/b-1/o?uploadType=resumable", metadata)
        assert answer.status == 200
        return answer.headers["location"]

    def read(self, name: str) -> bytes:
        """Download an object."""
        answer = self.ask("GET", f"/storage/v1/b/b-1/o/{name}?alt=media")
        assert answer.status == 200
        return answer.body


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A new cloud with a bucket."""
    made = Storage(tmp_path / "state")
    assert made.ask("POST", "/storage/v1/b?project=berth-local", {"name": "b-1"}).status == 200
    return made


@pytest.mark.parametrize(
    ("metadata", "headers", "word"),
    [
        ({"md5Hash": "AAAAAAAAAAAAAAAAAAAAAA=="}, {}, "MD5"),
        ({"crc32c": "AAAAAA=="}, {}, "CRC32C"),
        ({}, {"x_goog_hash": "crc32c=AAAAAA=="}, "CRC32C"),
        ({}, {"x_goog_hash": "crc32c=mnG7TA==,md5=AAAA"}, "MD5"),
    ],
)
def test_wrong_checksums_are_refused(
    storage: Storage, metadata: dict[str, str], headers: dict[str, str], word: str
) -> None:
    """Bytes that are not what metadata or headers announce are a 400, and nothing is stored."""
    where = storage.begin(name="x", **metadata)

    answer = storage.ask("PUT", where, b"hello", content_range="bytes 0-4/5", **headers)

    assert answer.status == 400
    assert word in answer.json()["error"]["message"]
    assert storage.ask("GET", "/storage/v1/b/b-1/o/x").status == 404


def test_the_clients_own_check_is_answered(bucket: Bucket) -> None:
    """A wrong md5 that the client announces is a 400."""
    blob = bucket.blob("x")
    blob._patch_property("md5Hash", "AAAAAAAAAAAAAAAAAAAAAA==")

    with pytest.raises(BadRequest, match="MD5"):
        blob.upload_from_string("hello")


def test_right_checksums_are_accepted(bucket: Bucket) -> None:
    """The client may ask for its own md5 to be compared."""
    for kind in ("md5", "crc32c"):
        bucket.blob(kind).upload_from_string("hello", checksum=kind)
        assert bucket.blob(kind).download_as_bytes(checksum=kind) == b"hello"


def test_a_large_upload_goes_in_chunks(bucket: Bucket) -> None:
    """A resumable upload is the sum of its chunks, checked as a whole."""
    data = bytes(range(256)) * 4096 + b"tail"
    blob = bucket.blob("large", chunk_size=QUANTUM)

    blob.upload_from_string(data, checksum="md5")

    found = bucket.get_blob("large")
    assert found.md5_hash == base64.b64encode(hashlib.md5(data).digest()).decode()  # noqa: S324 - the API's own
    assert found.download_as_bytes() == data


def test_an_empty_object_can_be_uploaded_in_chunks(bucket: Bucket) -> None:
    """No bytes at all are an object, too."""
    blob = bucket.blob("empty", chunk_size=QUANTUM)
    blob.upload_from_string(b"")

    assert bucket.get_blob("empty").size == 0
    assert bucket.blob("empty").download_as_bytes() == b""


def test_gcloud_separates_parts_with_bare_line_feeds(storage: Storage) -> None:
    """A multipart body with bare line feeds is read as one with carriage returns is."""
    for name, end in (("lf", "\n"), ("crlf", "\r\n")):
        lines = [
            "--sep",
            "Content-Type: application/json",
            "",
            json.dumps({"name": name, "metadata": {"a": "1"}}),
            "--sep",
            "Content-Type: text/plain",
            "",
            "by\ntes",
            "--sep--",
        ]
        answer = storage.ask(
            "POST",
            "/upload/storage/v1/b/b-1/o?uploadType=multipart",
            end.join(lines).encode(),
            content_type='multipart/related; boundary="sep"',
        )

        assert answer.status == 200, answer.text
        assert answer.json()["contentType"] == "text/plain"
        assert answer.json()["metadata"] == {"a": "1"}
        assert storage.read(name) == b"by\ntes"


def test_media_alone_needs_a_name(storage: Storage) -> None:
    """A simple upload takes its name from the query, and is refused without one."""
    path = "/upload/storage/v1/b/b-1/o?uploadType=media"
    assert storage.ask("POST", path, b"x").status == 400

    answer = storage.ask("POST", path + "&name=x.json", {"any": "json"})

    assert answer.json()["contentType"] == "application/json"
    assert json.loads(storage.read("x.json")) == {"any": "json"}
    assert storage.ask("POST", "/storage/v1/b/b-1/o", {"name": "y"}).status == 400
    other = path.replace("media", "other") + "&name=z"
    assert storage.ask("POST", other, b"x").status == 400


def test_a_session_says_how_far_it_is(storage: Storage) -> None:
    """After each chunk, and when asked, the session names the last byte it has."""
    where = storage.begin(name="x")
    first = storage.ask("PUT", where, b"a" * QUANTUM, content_range=f"bytes 0-{QUANTUM - 1}/*")
    assert (first.status, first.headers["range"]) == (308, f"bytes=0-{QUANTUM - 1}")

    asked = storage.ask("PUT", where, b"", content_range="bytes */*")
    assert (asked.status, asked.headers["range"]) == (308, f"bytes=0-{QUANTUM - 1}")
    last = storage.ask(
        "PUT", where, b"end", content_range=f"bytes {QUANTUM}-{QUANTUM + 2}/{QUANTUM + 3}"
    )

    assert last.status == 200
    assert last.json()["size"] == str(QUANTUM + 3)
    assert storage.read("x") == b"a" * QUANTUM + b"end"


def test_a_repeated_chunk_adds_only_what_is_new(storage: Storage) -> None:
    """A client that did not hear the answer sends again; bytes are not doubled."""
    where = storage.begin(name="x")
    storage.ask("PUT", where, b"a" * QUANTUM, content_range=f"bytes 0-{QUANTUM - 1}/*")

    whole = b"a" * QUANTUM + b"b" * 10
    span = f"bytes 0-{len(whole) - 1}/{len(whole)}"
    assert storage.ask("PUT", where, whole, content_range=span).status == 200
    again = storage.ask("PUT", where, whole, content_range=span)

    assert again.status == 200
    assert again.json()["size"] == str(len(whole))
    assert storage.read("x") == whole


def test_a_gap_is_not_filled(storage: Storage) -> None:
    """A chunk that leaves bytes out changes nothing; the answer says from where to go on."""
    where = storage.begin(name="x")
    answer = storage.ask(
        "PUT", where, b"a" * QUANTUM, content_range=f"bytes {QUANTUM}-{2 * QUANTUM - 1}/*"
    )

    assert answer.status == 308
    assert "range" not in answer.headers


@pytest.mark.parametrize(
    ("body", "span"),
    [
        (b"a" * 1000, "bytes 0-999/*"),
        (b"a" * 10, "bytes 0-5/*"),
        (b"a" * 10, "0-9/10"),
        (b"a" * 10, "bytes 0-9/5"),
        (b"a" * 10, "bytes */10"),
    ],
)
def test_bad_chunks_are_refused(storage: Storage, body: bytes, span: str) -> None:
    """A chunk of an odd size, or a header that contradicts it, is a 400."""
    assert storage.ask("PUT", storage.begin(name="x"), body, content_range=span).status == 400


def test_an_upload_goes_on_after_a_restart(storage: Storage, tmp_path: Path) -> None:
    """A session and the bytes it has acknowledged are still there in the next process."""
    where = storage.begin(name="x", metadata={"a": "1"})
    storage.ask("PUT", where, b"a" * QUANTUM, content_range=f"bytes 0-{QUANTUM - 1}/*")
    storage.cloud.close()

    again = Storage(tmp_path / "state")
    asked = again.ask("PUT", where, b"", content_range="bytes */*")
    assert asked.headers["range"] == f"bytes=0-{QUANTUM - 1}"
    again.ask("PUT", where, b"b", content_range=f"bytes {QUANTUM}-{QUANTUM}/{QUANTUM + 1}")

    assert again.read("x") == b"a" * QUANTUM + b"b"
    assert again.ask("GET", "/storage/v1/b/b-1/o/x").json()["metadata"] == {"a": "1"}


def test_preconditions_of_a_session_count_at_its_end(storage: Storage) -> None:
    """An object that appears during the upload makes a create-only upload fail."""
    path = "/upload/storage/v1/b/b-1/o?uploadType=resumable&ifGenerationMatch=0&name=x"
    where = storage.ask("POST", path, {}).headers["location"]
    storage.ask("POST", "/upload/storage/v1/b/b-1/o?uploadType=media&name=x", b"first")

    assert storage.ask("PUT", where, b"second", content_range="bytes 0-5/6").status == 412
    assert storage.ask("POST", path, {}).status == 412
    assert storage.read("x") == b"first"


def test_a_cancelled_session_is_gone(storage: Storage) -> None:
    """Cancelling answers 499, and the address means nothing any more."""
    where = storage.begin(name="x")

    assert storage.ask("DELETE", where).status == 499
    assert storage.ask("PUT", where, b"a", content_range="bytes 0-0/1").status == 404


def test_leftovers_are_swept_at_the_next_start(storage: Storage, tmp_path: Path) -> None:
    """Replaced contents and cancelled sessions do not stay on disk for ever."""
    for text in (b"1", b"2", b"3"):
        storage.ask("POST", "/upload/storage/v1/b/b-1/o?uploadType=media&name=x", text)
    storage.ask(
        "PATCH", "/storage/v1/b/b-1", {"softDeletePolicy": {"retentionDurationSeconds": "0"}}
    )
    for text in (b"4", b"5"):
        storage.ask("POST", "/upload/storage/v1/b/b-1/o?uploadType=media&name=y", text)
    storage.cloud.close()

    again = Storage(tmp_path / "state")

    assert again.read("y") == b"5"
    contents = list((tmp_path / "state/storage/contents").glob("*/*"))
    # Three of x (two of them softly deleted) and one of y.
    assert len(contents) == 4


def test_soft_deleted_objects_go_when_their_time_is_up(storage: Storage) -> None:
    """After the retention time a softly deleted object cannot be restored any more."""
    storage.ask("POST", "/upload/storage/v1/b/b-1/o?uploadType=media&name=x", b"1")
    storage.ask("DELETE", "/storage/v1/b/b-1/o/x")
    listed = "/storage/v1/b/b-1/o?softDeleted=true"
    assert len(storage.ask("GET", listed).json()["items"]) == 1

    clock = storage.cloud.clock
    assert isinstance(clock, VirtualClock)
    clock.advance(8 * 86_400)
    storage.token = storage.cloud.tokens.access_token(OWNER)

    assert "items" not in storage.ask("GET", listed).json()
