"""Further ways in which Google's storage client is used: files, moves, classes, batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    NotFound,
    PreconditionFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Bucket, Client

    from localcloud.cloud import Cloud


def test_an_object_is_written_and_read_like_a_file(bucket: Bucket) -> None:
    """A stream of unknown length goes up in chunks and comes down in ranges."""
    lines = [f"line {number}\n" for number in range(60_000)]

    with bucket.blob("x").open("w", chunk_size=256 * 1024) as file:
        file.writelines(lines)
    with bucket.blob("x").open("r", chunk_size=256 * 1024) as file:
        found = file.readlines()

    assert found == lines


def test_a_move_is_one_step(bucket: Bucket) -> None:
    """The object is at its new name with its bytes and metadata, and no longer at the old one."""
    blob = bucket.blob("old")
    blob.metadata = {"a": "1"}
    blob.upload_from_string("bytes")
    bucket.blob("taken").upload_from_string("taken")
    with pytest.raises(PreconditionFailed):
        bucket.move_blob(blob, "taken", if_generation_match=0)

    moved = bucket.move_blob(blob, "new", if_source_generation_match=blob.generation)

    assert moved.metadata == {"a": "1"}
    assert bucket.blob("new").download_as_bytes() == b"bytes"
    assert bucket.get_blob("old") is None


def test_the_storage_class_can_change(bucket: Bucket) -> None:
    """By a rewrite, which keeps the rest; a class that there is not is refused."""
    blob = bucket.blob("x")
    blob.metadata = {"a": "1"}
    blob.upload_from_string("x", content_type="text/plain")

    blob.update_storage_class("NEARLINE")

    found = bucket.get_blob("x")
    assert (found.storage_class, found.content_type) == ("NEARLINE", "text/plain")
    assert found.metadata == {"a": "1"}
    gold = bucket.blob("gold")
    gold.storage_class = "GOLD"
    with pytest.raises(BadRequest, match="GOLD"):
        gold.upload_from_string("x")


def test_a_batch_changes_and_deletes(client: Client, bucket: Bucket) -> None:
    """Calls with bodies, too."""
    for name in ("a", "b"):
        bucket.blob(name).upload_from_string(name)

    with client.batch():
        patched = bucket.blob("a")
        patched.metadata = {"k": "v"}
        patched.patch()
        bucket.blob("b").delete()

    assert bucket.get_blob("a").metadata == {"k": "v"}
    assert bucket.get_blob("b") is None


def test_a_locked_retention_policy_only_grows(bucket: Bucket) -> None:
    """It can be prolonged; shortened or removed it cannot be any more."""
    with pytest.raises((BadRequest, PreconditionFailed, ValueError)):
        bucket.lock_retention_policy()
    bucket.retention_period = 3600
    bucket.patch()
    bucket.lock_retention_policy()
    assert bucket.retention_policy_locked

    bucket.retention_period = 7200
    bucket.patch()
    for period in (60, None):
        bucket.retention_period = period
        with pytest.raises(Forbidden, match="locked retention policy"):
            bucket.patch()


def test_a_placeholder_of_a_folder_can_be_listed(bucket: Bucket) -> None:
    """A name that ends in the delimiter is a prefix, and on demand an item as well."""
    for name in ("folder/", "folder/x"):
        bucket.blob(name).upload_from_string("")

    plain = list(bucket.list_blobs(delimiter="/"))
    trailing = list(bucket.list_blobs(delimiter="/", include_trailing_delimiter=True))

    assert [blob.name for blob in plain] == []
    assert [blob.name for blob in trailing] == ["folder/"]


def test_the_services_own_account_has_a_name(client: Client) -> None:
    """The account that Cloud Storage acts with is named after the project's number."""
    email = client.get_service_account_email()

    assert email == "service-123456789012@gs-project-accounts.iam.gserviceaccount.com"


def test_a_condition_can_open_one_folder(
    client_of: Callable[[str], Client], bucket: Bucket
) -> None:
    """A binding on names that begin with something reaches those objects and no others."""
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    prefix = f"projects/_/buckets/{bucket.name}/objects/mine/"
    policy.bindings.append(
        {
            "role": "roles/storage.objectUser",
            "members": ["user:tenant@example.com"],
            "condition": {"title": "mine", "expression": f'resource.name.startsWith("{prefix}")'},
        }
    )
    bucket.set_iam_policy(policy)
    theirs = client_of("tenant@example.com").bucket(bucket.name)

    theirs.blob("mine/a/b").upload_from_string("x" * 300_000)
    assert len(theirs.blob("mine/a/b").download_as_bytes()) == 300_000
    resumable = theirs.blob("mine/large", chunk_size=256 * 1024)
    resumable.upload_from_string("x" * 300_000)
    for name in ("other/x", "mine"):
        with pytest.raises(Forbidden):
            theirs.blob(name).upload_from_string("x")
    with pytest.raises(Forbidden):
        list(theirs.list_blobs())


def test_calls_and_faults_go_by_method(served: Cloud, bucket: Bucket) -> None:
    """A planned fault happens once, the client's retry goes through, a lost reply has its effect."""
    served.calls.clear()
    served.fail("storage.objects.insert", 503)
    bucket.blob("x").upload_from_string("1", if_generation_match=0)
    assert [r.status for r in served.calls.of("storage.objects.insert")] == [503, 200]
    record = served.calls.of("storage.objects.insert")[1]
    assert record.resource == f"projects/_/buckets/{bucket.name}/objects/x"

    served.lose_reply("storage.objects.insert")
    with pytest.raises(PreconditionFailed):
        # The first attempt was made, though nobody heard of it.
        bucket.blob("y").upload_from_string("1", if_generation_match=0)

    assert bucket.blob("y").download_as_bytes() == b"1"
    assert served.unused_faults() == {}
    with pytest.raises(NotFound):
        bucket.blob("z").reload()
