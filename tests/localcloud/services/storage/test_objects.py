"""Objects through Google's client: bytes and metadata, versions, lists, copies."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    GoogleAPICallError,
    NotFound,
)

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client


def test_bytes_and_metadata_come_back(bucket: Bucket) -> None:
    """What is uploaded is what is read, with checksums, links and everything said about it."""
    blob = bucket.blob("a/b c.txt")
    blob.metadata = {"team": "risk"}
    blob.cache_control = "no-store"
    blob.content_language = "de"
    blob.upload_from_string("hello", content_type="text/x-greeting")

    found = bucket.get_blob("a/b c.txt")

    assert found.download_as_bytes() == b"hello"
    assert found.size == 5
    assert found.content_type == "text/x-greeting"
    assert found.metadata == {"team": "risk"}
    assert found.cache_control == "no-store"
    assert found.content_language == "de"
    assert found.crc32c == "mnG7TA=="
    assert found.md5_hash == "XUFAKrxLKna5cZ2REBfFkg=="
    assert found.generation > 1_700_000_000_000_000
    assert found.metageneration == 1
    assert found.self_link.endswith(f"/b/{bucket.name}/o/a%2Fb%20c.txt")
    assert f"generation={found.generation}" in found.media_link
    assert found.id == f"{bucket.name}/a/b c.txt/{found.generation}"


def test_a_download_says_which_generation_it_is(bucket: Bucket) -> None:
    """The generation header is what compare-and-swap loops go by."""
    bucket.blob("x").upload_from_string("1")
    other = bucket.blob("x")

    other.download_as_bytes()

    assert other.generation == bucket.get_blob("x").generation


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [(0, 3, b"0123"), (4, None, b"456789"), (8, 100, b"89"), (-3, None, b"789"), (9, 9, b"9")],
)
def test_ranges(bucket: Bucket, start: int, end: int | None, wanted: bytes) -> None:
    """A part of an object can be read: from the front, the middle, or the end."""
    blob = bucket.blob("x")
    blob.upload_from_string("0123456789")

    assert blob.download_as_bytes(start=start, end=end, raw_download=True) == wanted


def test_a_range_beyond_the_end_is_416(bucket: Bucket) -> None:
    """Bytes that are not there cannot be read."""
    blob = bucket.blob("x")
    blob.upload_from_string("0123456789")

    with pytest.raises(GoogleAPICallError) as refused:
        blob.download_as_bytes(start=10)

    assert refused.value.code == 416


def test_gzip_is_unpacked_for_those_who_cannot_read_it(bucket: Bucket) -> None:
    """An object stored with gzip encoding is sent packed or unpacked, as the reader says."""
    packed = gzip.compress(b"plain")
    blob = bucket.blob("x.txt")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)

    assert blob.download_as_bytes() == b"plain"
    assert blob.download_as_bytes(raw_download=True) == packed


def test_what_only_says_it_is_gzip_is_sent_as_it_is(bucket: Bucket) -> None:
    """It cannot be unpacked, and that is no reason for a 500."""
    blob = bucket.blob("x")
    blob.content_encoding = "gzip"
    blob.upload_from_string("plain")
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": ["allUsers"]})
    bucket.set_iam_policy(policy)

    found = requests.get(blob.public_url, headers={"Accept-Encoding": "identity"}, timeout=10)

    assert (found.status_code, found.content) == (200, b"plain")


def test_a_patch_changes_metadata_only(bucket: Bucket) -> None:
    """Null removes a key, the rest stays, and only the metageneration moves."""
    blob = bucket.blob("x")
    blob.metadata = {"a": "1", "b": "2"}
    blob.upload_from_string("1")
    before = blob.generation

    blob.metadata = {"b": None, "c": "3"}
    blob.content_type = "text/plain"
    blob.patch()

    found = bucket.get_blob("x")
    assert found.metadata == {"a": "1", "c": "3"}
    assert found.content_type == "text/plain"
    assert (found.generation, found.metageneration) == (before, 2)


@pytest.mark.parametrize("name", [".", "..", "a\nb", "x" * 1025])
def test_bad_names_are_refused(bucket: Bucket, name: str) -> None:
    """An object name that Google does not allow is a 400."""
    answer = bucket.client._http.post(
        f"https://storage.googleapis.com/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable",
        json={"name": name},
    )

    assert answer.status_code == 400
    assert "name" in answer.json()["error"]["message"]


def test_absent_objects_are_404(bucket: Bucket) -> None:
    """Every verb on an object that is not there says which."""
    absent = bucket.blob("absent")
    for act in (absent.reload, absent.patch, absent.delete, absent.download_as_bytes):
        with pytest.raises(NotFound, match=f"No such object: {bucket.name}/absent"):
            act()
    with pytest.raises(NotFound, match="bucket does not exist"):
        list(bucket.client.list_blobs("no-such-bucket"))


def test_old_versions_stay_in_a_versioned_bucket(bucket: Bucket) -> None:
    """An overwrite and a delete leave noncurrent versions, which can be read and removed."""
    bucket.versioning_enabled = True
    bucket.patch()
    for text in ("1", "2"):
        bucket.blob("x").upload_from_string(text)
    first, second = (b.generation for b in bucket.list_blobs(versions=True))
    bucket.delete_blob("x")

    assert bucket.get_blob("x") is None
    old = bucket.get_blob("x", generation=first)
    assert old.download_as_bytes() == b"1"
    assert old.time_deleted is not None
    assert [b.generation for b in bucket.list_blobs(versions=True)] == [first, second]
    bucket.delete_blob("x", generation=first)
    assert [b.generation for b in bucket.list_blobs(versions=True)] == [second]


def test_without_versioning_an_overwrite_leaves_nothing(bucket: Bucket) -> None:
    """The replaced generation is gone."""
    blob = bucket.blob("x")
    blob.upload_from_string("1")
    first = blob.generation
    bucket.blob("x").upload_from_string("2")

    assert len(list(bucket.list_blobs(versions=True))) == 1
    assert bucket.get_blob("x", generation=first) is None


def test_soft_deleted_objects_come_back(client: Client) -> None:
    """What was deleted or overwritten under a soft delete policy can be listed and restored."""
    bucket = client.create_bucket("soft-deleted-objects")
    blob = bucket.blob("x")
    blob.upload_from_string("precious")
    generation = blob.generation
    blob.delete()
    assert bucket.get_blob("x") is None
    gone = list(bucket.list_blobs(soft_deleted=True))
    assert [(b.name, b.generation) for b in gone] == [("x", generation)]
    assert gone[0].soft_delete_time is not None
    assert gone[0].hard_delete_time > gone[0].soft_delete_time
    assert bucket.get_blob("x", generation=generation, soft_deleted=True).size == 8

    restored = bucket.restore_blob("x", generation=generation)

    assert restored.generation > generation
    assert bucket.blob("x").download_as_bytes() == b"precious"
    with pytest.raises(NotFound):
        bucket.restore_blob("x", generation=1)


def test_holds_keep_an_object(bucket: Bucket) -> None:
    """Under a hold an object can be neither deleted nor replaced."""
    blob = bucket.blob("x")
    blob.upload_from_string("1")
    blob.temporary_hold = True
    blob.patch()

    with pytest.raises(Forbidden, match="temporary hold"):
        blob.delete()
    with pytest.raises(Forbidden, match="temporary hold"):
        bucket.blob("x").upload_from_string("2")

    blob.temporary_hold = False
    blob.patch()
    blob.delete()


def test_a_retention_policy_keeps_objects(bucket: Bucket) -> None:
    """Before its time an object cannot be deleted."""
    bucket.retention_period = 3600
    bucket.patch()
    blob = bucket.blob("x")
    blob.upload_from_string("1")

    assert blob.retention_expiration_time is not None
    with pytest.raises(Forbidden, match="retention policy"):
        blob.delete()


def test_compose_joins_and_counts(bucket: Bucket) -> None:
    """The sum of objects has their bytes, a checksum, a count, and no md5."""
    parts = [bucket.blob(f"p{number}") for number in range(3)]
    for number, part in enumerate(parts):
        part.upload_from_string(str(number) * 2, content_type="text/plain")

    whole = bucket.blob("whole")
    whole.compose(parts)

    assert whole.download_as_bytes() == b"001122"
    assert whole.component_count == 3
    assert whole.md5_hash is None
    assert whole.content_type == "text/plain"
    again = bucket.blob("again")
    again.compose([whole, parts[0]])
    assert again.component_count == 4
    with pytest.raises(NotFound, match="No such object"):
        again.compose([bucket.blob("absent")])


def test_too_many_parts_are_refused(bucket: Bucket) -> None:
    """Compose takes 32 objects at most."""
    part = bucket.blob("p")
    part.upload_from_string("x")

    with pytest.raises(BadRequest, match="exceeds the maximum"):
        bucket.blob("whole").compose([part] * 33)


def test_copies_keep_metadata_or_take_new(client: Client, bucket: Bucket) -> None:
    """Copy and rewrite go across buckets and bring the metadata along unless told otherwise."""
    other = client.create_bucket("copies-target", location="us")
    source = bucket.blob("x")
    source.metadata = {"a": "1"}
    source.upload_from_string("1", content_type="text/plain")

    copied = bucket.copy_blob(source, other, "y")
    target = other.blob("z")
    target.metadata = {"b": "2"}
    token, done, total = target.rewrite(source)

    assert copied.metadata == {"a": "1"}
    assert copied.md5_hash == source.md5_hash
    assert (token, done, total) == (None, 1, 1)
    found = other.get_blob("z")
    assert found.metadata == {"b": "2"}
    assert found.download_as_bytes() == b"1"
    renamed = bucket.rename_blob(source, "moved")
    assert renamed.name == "moved"
    assert bucket.get_blob("x") is None


@pytest.fixture
def tree(bucket: Bucket) -> Bucket:
    """A bucket with names in two levels."""
    for name in ("a/1", "a/2", "a/b/3", "b/1", "c", "d.json", "e.txt"):
        bucket.blob(name).upload_from_string(name)
    return bucket


@pytest.mark.parametrize(
    ("asked", "names", "prefixes"),
    [
        ({"prefix": "a/"}, ["a/1", "a/2", "a/b/3"], []),
        ({"delimiter": "/"}, ["c", "d.json", "e.txt"], ["a/", "b/"]),
        ({"prefix": "a/", "delimiter": "/"}, ["a/1", "a/2"], ["a/b/"]),
        ({"start_offset": "b", "end_offset": "d"}, ["b/1", "c"], []),
        ({"match_glob": "*"}, ["c", "d.json", "e.txt"], []),
        ({"match_glob": "**"}, ["a/1", "a/2", "a/b/3", "b/1", "c", "d.json", "e.txt"], []),
        ({"match_glob": "*/1"}, ["a/1", "b/1"], []),
        ({"match_glob": "**/3"}, ["a/b/3"], []),
        ({"match_glob": "{a,b}/{1,3}"}, ["a/1", "b/1"], []),
        ({"match_glob": "?.{json,txt}"}, ["d.json", "e.txt"], []),
        ({"match_glob": "[!a-c].*"}, ["d.json", "e.txt"], []),
        ({"match_glob": "a/**", "delimiter": "/", "prefix": "a/"}, ["a/1", "a/2"], ["a/b/"]),
    ],
)
@pytest.mark.parametrize("size", [1000, 1])
def test_lists(
    tree: Bucket, asked: dict[str, str], names: list[str], prefixes: list[str], size: int
) -> None:
    """Prefix, delimiter, offsets and patterns choose, and pages change nothing."""
    found = tree.client.list_blobs(tree, page_size=size, **asked)

    assert [blob.name for blob in found] == names
    assert sorted(found.prefixes) == prefixes


@pytest.mark.parametrize("glob", ["[a", "{a,b", "x\\"])
def test_bad_patterns_are_refused(tree: Bucket, glob: str) -> None:
    """A pattern that cannot be read is a 400, and not an empty list."""
    with pytest.raises(BadRequest, match="Invalid glob"):
        list(tree.list_blobs(match_glob=glob))


def test_patterns_go_with_slashes_only(tree: Bucket) -> None:
    """A pattern with another delimiter is a 400, and so is a page token nobody gave."""
    with pytest.raises(BadRequest, match="delimiter"):
        list(tree.list_blobs(match_glob="*", delimiter="."))
    with pytest.raises(BadRequest, match="page token"):
        list(tree.list_blobs(page_token="bogus"))


def test_a_batch_answers_each_of_its_calls(client: Client, tree: Bucket) -> None:
    """Many calls in one request: each has its own outcome."""
    with client.batch():
        for name in ("a/1", "a/2"):
            tree.blob(name).delete()

    assert [blob.name for blob in tree.list_blobs(prefix="a/")] == ["a/b/3"]
    with pytest.raises(NotFound), client.batch():
        tree.blob("absent").delete()
