"""Every generation and metageneration precondition, on every verb, through Google's client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import NotFound, NotModified, PreconditionFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Blob, Bucket

WRONG = 12345

Verb = "Callable[[Bucket, Blob, dict[str, int]], object]"


def _compose(bucket: Bucket, blob: Blob, wanted: dict[str, int]) -> object:
    return bucket.blob(blob.name).compose([bucket.blob("other")], **wanted)


WRITES: dict[str, Callable[[Bucket, Blob, dict[str, int]], object]] = {
    "upload": lambda _, blob, wanted: blob.upload_from_string("new", **wanted),
    "resumable": lambda _, blob, wanted: _resumable(blob, wanted),
    "patch": lambda _, blob, wanted: blob.patch(**wanted),
    "update": lambda _, blob, wanted: blob.update(**wanted),
    "delete": lambda _, blob, wanted: blob.delete(**wanted),
    "rewrite": lambda bucket, blob, wanted: bucket.blob(blob.name).rewrite(
        bucket.blob("other"), **wanted
    ),
    "copy": lambda bucket, blob, wanted: bucket.copy_blob(
        bucket.blob("other"), bucket, blob.name, **wanted
    ),
}
SOURCES: dict[str, Callable[[Bucket, Blob, dict[str, int]], object]] = {
    "rewrite": lambda bucket, blob, wanted: bucket.blob("copy").rewrite(blob, **wanted),
    "copy": lambda bucket, blob, wanted: bucket.copy_blob(blob, bucket, "copy", **wanted),
}
READS: dict[str, Callable[[Bucket, Blob, dict[str, int]], object]] = {
    "reload": lambda _, blob, wanted: blob.reload(**wanted),
    "download": lambda _, blob, wanted: blob.download_as_bytes(**wanted),
}


def _resumable(blob: Blob, wanted: dict[str, int]) -> None:
    blob.chunk_size = 256 * 1024
    blob.upload_from_string("r" * 300_000, **wanted)


@pytest.fixture
def blob(bucket: Bucket) -> Blob:
    """An object that is there, beside another one."""
    bucket.blob("other").upload_from_string("other")
    made = bucket.blob("thing")
    made.upload_from_string("old")
    return made


def _wrong(blob: Blob) -> list[dict[str, int]]:
    return [
        {"if_generation_match": WRONG},
        {"if_generation_match": 0},
        {"if_generation_not_match": int(blob.generation)},
        {"if_metageneration_match": WRONG},
        {"if_metageneration_not_match": int(blob.metageneration)},
    ]


def _right(blob: Blob) -> dict[str, int]:
    return {
        "if_generation_match": int(blob.generation),
        "if_generation_not_match": WRONG,
        "if_metageneration_match": int(blob.metageneration),
        "if_metageneration_not_match": WRONG,
    }


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_with_a_precondition_that_fails_changes_nothing(
    bucket: Bucket, blob: Blob, verb: str
) -> None:
    """Each precondition that does not hold is a 412, and the object stays what it was."""
    for wanted in _wrong(blob):
        with pytest.raises(PreconditionFailed):
            WRITES[verb](bucket, blob, wanted)

    left = bucket.get_blob("thing")
    assert left.generation == blob.generation
    assert left.metageneration == 1
    assert left.download_as_bytes() == b"old"


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_with_preconditions_that_hold_goes_through(
    bucket: Bucket, blob: Blob, verb: str
) -> None:
    """All preconditions together let a write through when they hold."""
    before = int(blob.generation)

    WRITES[verb](bucket, blob, _right(blob))

    left = bucket.get_blob("thing")
    assert left is None or left.generation != before or left.metageneration == 2


@pytest.mark.parametrize("wanted", [{"if_generation_match": WRONG}, {"if_metageneration_match": 9}])
def test_compose_checks_its_target(bucket: Bucket, blob: Blob, wanted: dict[str, int]) -> None:
    """Compose takes preconditions on what it replaces."""
    with pytest.raises(PreconditionFailed):
        _compose(bucket, blob, wanted)


def test_compose_checks_its_sources(bucket: Bucket, blob: Blob) -> None:
    """Compose takes a generation for each source."""
    with pytest.raises(PreconditionFailed):
        bucket.blob("sum").compose([blob], if_source_generation_match=[WRONG])


@pytest.mark.parametrize("verb", SOURCES)
def test_a_copy_checks_its_source(bucket: Bucket, blob: Blob, verb: str) -> None:
    """Each precondition on the source that does not hold is a 412, and nothing is made."""
    for wanted in _wrong(blob):
        named = {key.replace("if_", "if_source_"): value for key, value in wanted.items()}
        with pytest.raises(PreconditionFailed):
            SOURCES[verb](bucket, blob, named)

    assert bucket.get_blob("copy") is None


@pytest.mark.parametrize("verb", READS)
def test_a_read_with_a_match_that_fails_is_refused(bucket: Bucket, blob: Blob, verb: str) -> None:
    """A reader who wants another version gets 412."""
    for name in ("if_generation_match", "if_metageneration_match"):
        with pytest.raises(PreconditionFailed):
            READS[verb](bucket, blob, {name: WRONG})


@pytest.mark.parametrize("verb", READS)
def test_a_read_of_what_is_unchanged_is_304(bucket: Bucket, blob: Blob, verb: str) -> None:
    """A reader who has the present version gets 304 and no body."""
    unchanged = {
        "if_generation_not_match": int(blob.generation),
        "if_metageneration_not_match": int(blob.metageneration),
    }
    for name, number in unchanged.items():
        with pytest.raises(NotModified):
            READS[verb](bucket, blob, {name: number})


def test_create_only_needs_an_absent_object(bucket: Bucket) -> None:
    """Generation 0 means "not there": a second create is 412."""
    bucket.blob("once").upload_from_string("1", if_generation_match=0)

    with pytest.raises(PreconditionFailed):
        bucket.blob("once").upload_from_string("2", if_generation_match=0)

    assert bucket.blob("once").download_as_bytes() == b"1"


def test_overwrite_only_needs_an_object(bucket: Bucket) -> None:
    """Not-generation-0 and any other number fail where there is no object."""
    for wanted in ({"if_generation_not_match": 0}, {"if_generation_match": WRONG}):
        with pytest.raises(PreconditionFailed):
            bucket.blob("absent").upload_from_string("x", **wanted)


def test_deleting_what_is_absent_is_404(bucket: Bucket) -> None:
    """There is nothing to compare with: 404 and not 412."""
    with pytest.raises(NotFound):
        bucket.blob("absent").delete(if_generation_match=WRONG)


def test_etags_guard_reads(blob: Blob) -> None:
    """HTTP's own conditional headers work as the numbers do."""
    blob.reload(if_etag_match=blob.etag)
    with pytest.raises(NotModified):
        blob.reload(if_etag_not_match=blob.etag)
    with pytest.raises(PreconditionFailed):
        blob.reload(if_etag_match="bogus")


def test_bucket_changes_are_guarded_by_metageneration(bucket: Bucket) -> None:
    """Patch, update and delete of a bucket compare metagenerations."""
    for act in (bucket.patch, bucket.update, bucket.delete):
        with pytest.raises(PreconditionFailed):
            act(if_metageneration_match=WRONG)
    with pytest.raises(NotModified):
        bucket.reload(if_metageneration_not_match=int(bucket.metageneration))

    bucket.patch(if_metageneration_match=int(bucket.metageneration))
    assert bucket.metageneration == 2
