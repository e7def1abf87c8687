"""Access control lists through Google's client, and what they open to whom."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Bucket, Client

_NUMBERS = itertools.count(1)
_STRANGER = "stranger@example.com"


@pytest.fixture
def listed(client: Client) -> Bucket:
    """A bucket in which lists decide."""
    made = client.bucket(f"listed-{next(_NUMBERS)}")
    made.iam_configuration.uniform_bucket_level_access_enabled = False
    made.soft_delete_policy.retention_duration_seconds = 0
    return client.create_bucket(made)


def _status(bucket: Bucket, name: str) -> int:
    return requests.get(bucket.blob(name).public_url, timeout=10).status_code


def test_an_object_is_opened_to_everybody_and_closed_again(listed: Bucket) -> None:
    """What make_public says is what a caller without a token sees."""
    blob = listed.blob("x")
    blob.upload_from_string("open")
    assert _status(listed, "x") == 403

    blob.make_public()

    assert requests.get(blob.public_url, timeout=10).content == b"open"
    blob.make_private()
    assert _status(listed, "x") == 403


def test_a_list_names_who_may_what(listed: Bucket) -> None:
    """A new object belongs to whoever wrote it and to the project's teams."""
    blob = listed.blob("x")
    blob.upload_from_string("x")

    blob.acl.reload()

    assert {(entry["entity"], entry["role"]) for entry in blob.acl} == {
        ("user-owner@example.com", "OWNER"),
        ("project-owners-123456789012", "OWNER"),
        ("project-editors-123456789012", "OWNER"),
        ("project-viewers-123456789012", "READER"),
    }
    full = listed.client._get_resource(blob.path, query_params={"projection": "full"})
    assert full["owner"] == {"entity": "user-owner@example.com"}
    assert len(full["acl"]) == 4
    assert "acl" not in listed.client._get_resource(blob.path)


def test_a_reader_reads_and_changes_nothing(
    listed: Bucket, client_of: Callable[[str], Client]
) -> None:
    """An entry for one person lets that one in, as far as its role goes."""
    blob = listed.blob("x")
    blob.upload_from_string("for you")
    theirs = client_of(_STRANGER).bucket(listed.name).blob("x")
    with pytest.raises(Forbidden, match=r"does not have storage\.objects\.get access"):
        theirs.download_as_bytes()

    blob.acl.user(_STRANGER).grant_read()
    blob.acl.save()

    assert theirs.download_as_bytes() == b"for you"
    theirs.metadata = {"a": "b"}
    with pytest.raises(Forbidden, match=r"storage\.objects\.update"):
        theirs.patch()
    with pytest.raises(Forbidden, match=r"storage\.objects\.getIamPolicy"):
        theirs.acl.reload()
    with pytest.raises(Forbidden, match=r"storage\.objects\.list"):
        list(theirs.bucket.list_blobs())


def test_a_bucket_list_is_its_policy(listed: Bucket, client_of: Callable[[str], Client]) -> None:
    """Google keeps the legacy roles and the list in step."""
    listed.acl.reload()
    listed.acl.user(_STRANGER).grant_write()
    listed.acl.save()

    policy = listed.get_iam_policy(requested_policy_version=3)
    theirs = client_of(_STRANGER).bucket(listed.name)
    theirs.blob("written").upload_from_string("x")

    assert policy["roles/storage.legacyBucketWriter"] == {f"user:{_STRANGER}"}
    with pytest.raises(Forbidden, match=r"storage\.buckets\.update"):
        theirs.patch()
    listed.acl.user(_STRANGER).revoke_write()
    listed.acl.save()
    with pytest.raises(Forbidden, match=r"storage\.objects\.create"):
        theirs.blob("more").upload_from_string("x")


def test_new_objects_get_the_default_list(listed: Bucket) -> None:
    """And a predefined list of their own instead, when it is named."""
    listed.default_object_acl.all().grant_read()
    listed.default_object_acl.save()

    listed.blob("default").upload_from_string("x")
    listed.blob("private").upload_from_string("x", predefined_acl="private")

    assert _status(listed, "default") == 200
    assert _status(listed, "private") == 403


def test_entries_are_read_and_removed_one_by_one(listed: Bucket) -> None:
    """Through the methods that name an entity; one that has no entry is 404."""
    call = listed.client._connection.api_request
    path = f"/b/{listed.name}/defaultObjectAcl"
    made = call(method="POST", path=path, data={"entity": "allUsers", "role": "READER"})

    assert (made["entity"], made["role"]) == ("allUsers", "READER")
    assert call(method="GET", path=f"{path}/allUsers")["role"] == "READER"
    call(method="DELETE", path=f"{path}/allUsers")
    with pytest.raises(NotFound, match="allUsers"):
        call(method="GET", path=f"{path}/allUsers")
    with pytest.raises(NotFound, match="allUsers"):
        call(method="DELETE", path=f"{path}/allUsers")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"entity": "everybody", "role": "READER"}, "Could not parse entity"),
        ({"entity": "user-nobody", "role": "READER"}, "Could not parse entity"),
        ({"entity": "allUsers", "role": "WRITER"}, "Invalid value for role"),
        ({"entity": "allUsers"}, "Invalid value for role"),
        ({"role": "READER"}, "Could not parse entity"),
    ],
)
def test_impossible_entries_are_refused(listed: Bucket, entry: dict[str, str], said: str) -> None:
    """Nobody is called that, or an object has no such role."""
    listed.blob("x").upload_from_string("x")

    with pytest.raises(BadRequest, match=said):
        listed.client._connection.api_request(
            method="POST", path=f"/b/{listed.name}/o/x/acl", data=entry
        )


def test_uniform_access_knows_no_lists(bucket: Bucket) -> None:
    """Every method about lists is refused in Google's words."""
    blob = bucket.blob("x")
    blob.upload_from_string("x")

    for attempt in (blob.make_public, blob.acl.reload, bucket.acl.reload, bucket.make_public):
        with pytest.raises(BadRequest, match="uniform bucket-level access is enabled"):
            attempt()


def test_public_access_prevention_is_stronger_than_lists(listed: Bucket) -> None:
    """Nothing can be opened, and what was open is closed."""
    blob = listed.blob("x")
    blob.upload_from_string("x", predefined_acl="publicRead")
    assert _status(listed, "x") == 200

    listed.iam_configuration.public_access_prevention = "enforced"
    listed.patch()

    assert _status(listed, "x") == 403
    with pytest.raises(PreconditionFailed, match="public access prevention"):
        listed.blob("y").upload_from_string("y", predefined_acl="publicRead")


def test_a_list_change_is_guarded(listed: Bucket) -> None:
    """By the same preconditions as any change of metadata."""
    blob = listed.blob("x")
    blob.upload_from_string("x")

    with pytest.raises(PreconditionFailed):
        blob.make_public(if_metageneration_match=9)
    assert _status(listed, "x") == 403


def test_who_may_not_list_does_not_learn_what_is_missing(
    listed: Bucket, client_of: Callable[[str], Client]
) -> None:
    """A 404 would tell; whoever may list gets it."""
    policy = listed.get_iam_policy(requested_policy_version=3)
    role = "roles/storage.legacyObjectReader"
    policy.bindings.append({"role": role, "members": ["user:guesser@example.com"]})
    listed.set_iam_policy(policy)

    with pytest.raises(Forbidden, match=r"does not have storage\.objects\.list access"):
        client_of("guesser@example.com").bucket(listed.name).blob("x").download_as_bytes()
    with pytest.raises(NotFound, match="No such object"):
        listed.blob("x").download_as_bytes()


def test_a_stranger_to_a_bucket_that_is_not_there_hears_404(
    client_of: Callable[[str], Client],
) -> None:
    """There is nothing to be forbidden."""
    with pytest.raises(NotFound, match="bucket does not exist"):
        client_of(_STRANGER).get_bucket("there-is-no-such-bucket")


def test_a_managed_folder_has_a_policy_of_its_own(
    bucket: Bucket, client_of: Callable[[str], Client]
) -> None:
    """Whoever is let into the folder gets no further."""
    call = bucket.client._connection.api_request
    for name in ("in/x", "out/x"):
        bucket.blob(name).upload_from_string("x")
    path = f"/b/{bucket.name}/managedFolders"
    call(method="POST", path=path, data={"name": "in/"})
    binding = {"role": "roles/storage.objectViewer", "members": [f"user:{_STRANGER}"]}
    call(method="PUT", path=f"{path}/in%2F/iam", data={"bindings": [binding]})
    theirs = client_of(_STRANGER).bucket(bucket.name)

    assert theirs.blob("in/x").download_as_bytes() == b"x"
    assert [blob.name for blob in theirs.list_blobs(prefix="in/")] == ["in/x"]
    for attempt in (
        theirs.blob("out/x").download_as_bytes,
        lambda: theirs.blob("in/y").upload_from_string("y"),
        lambda: list(theirs.list_blobs()),
    ):
        with pytest.raises(Forbidden):
            attempt()
    with pytest.raises(GoogleAPICallError, match="not empty"):
        call(method="DELETE", path=f"{path}/in%2F")
