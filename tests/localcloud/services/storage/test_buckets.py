"""Buckets through Google's client: settings kept, rules enforced, policies guarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
)
from google.cloud import storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Bucket, Client


def test_what_is_said_about_a_bucket_is_kept(client: Client) -> None:
    """Location, labels, access, versioning and lifecycle come back as they were given."""
    made = client.bucket("kept")
    made.labels = {"managed-by": "somebody"}
    made.versioning_enabled = True
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    made.iam_configuration.public_access_prevention = "enforced"
    made.add_lifecycle_delete_rule(age=7)
    client.create_bucket(made, location="europe-west1")

    found = client.get_bucket("kept")

    assert found.location == "EUROPE-WEST1"
    assert found.location_type == "region"
    assert found.labels == {"managed-by": "somebody"}
    assert found.versioning_enabled
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert found.iam_configuration.uniform_bucket_level_access_locked_time is not None
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert next(found.lifecycle_rules)["condition"] == {"age": 7}
    assert found.soft_delete_policy.retention_duration_seconds == 604800
    assert found.project_number == 123456789012
    assert found.metageneration == 1
    assert found.etag == "CAE="
    assert found.storage_class == "STANDARD"


def test_null_removes_a_label(bucket: Bucket) -> None:
    """A patch changes what it names, and null takes away."""
    bucket.labels = {"a": "1", "b": "2"}
    bucket.patch()
    bucket.labels = {"b": "3"}
    bucket.patch()

    bucket.reload()

    assert bucket.labels == {"b": "3"}
    assert bucket.metageneration == 3


def test_a_patch_leaves_the_rest(bucket: Bucket) -> None:
    """Settings that a patch does not name stay."""
    bucket.versioning_enabled = True
    bucket.patch()

    bucket.reload()

    assert bucket.versioning_enabled
    assert bucket.iam_configuration.uniform_bucket_level_access_enabled
    assert bucket.location == "EUROPE-WEST1"


@pytest.mark.parametrize(
    "name", ["Upper", "ab", "-dash", "dash-", "goog-x", "my-google-x", "1.2.3.4", "a..b", "a_" * 40]
)
def test_bad_names_are_refused(client: Client, name: str) -> None:
    """A bucket name that Google does not allow is a 400."""
    made = storage.Bucket(client, name="fine-name")
    made.name = name

    with pytest.raises(BadRequest):
        client.create_bucket(made)


def test_a_name_is_taken_once(client: Client, bucket: Bucket) -> None:
    """A second bucket of a name is a 409 that says whose it is."""
    with pytest.raises(Conflict, match="You already own this bucket"):
        client.create_bucket(bucket.name)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("location", "mars-north1"),
        ("storageClass", "GOLD"),
        ("labels", {"Capital": "x"}),
        ("labels", {"a": "Not Allowed"}),
        ("softDeletePolicy", {"retentionDurationSeconds": "60"}),
        ("lifecycle", {"rule": [{"action": {"type": "Burn"}, "condition": {"age": 1}}]}),
        ("iamConfiguration", {"publicAccessPrevention": "perhaps"}),
        ("retentionPolicy", {"retentionPeriod": "0"}),
    ],
)
def test_bad_settings_are_refused(client: Client, field: str, value: object) -> None:
    """A value that Google does not know is a 400."""
    made = client.bucket("bad-settings")
    made._patch_property(field, value)

    with pytest.raises(BadRequest):
        client.create_bucket(made, location=value if field == "location" else None)
    assert client.lookup_bucket("bad-settings") is None


def test_an_absent_bucket_is_404(client: Client) -> None:
    """Every verb on a bucket that is not there says so."""
    absent = client.bucket("absent")
    for act in (absent.reload, absent.patch, absent.delete, absent.get_iam_policy):
        with pytest.raises(NotFound, match="The specified bucket does not exist"):
            act()


def test_only_an_empty_bucket_can_be_deleted(bucket: Bucket) -> None:
    """A bucket with an object, or an old version of one, is a 409."""
    bucket.versioning_enabled = True
    bucket.patch()
    bucket.blob("x").upload_from_string("1")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()
    bucket.delete_blob("x")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()

    for old in bucket.list_blobs(versions=True):
        old.delete()
    bucket.delete()

    assert not bucket.exists()


def test_a_bucket_comes_back_after_soft_delete(client: Client) -> None:
    """What was deleted under a soft delete policy can be listed and restored with its objects."""
    made = client.create_bucket("comes-back", location="europe-west1")
    generation = made.generation
    made.delete()
    assert client.lookup_bucket("comes-back") is None
    gone = [b for b in client.list_buckets(soft_deleted=True) if b.name == "comes-back"]
    assert [b.generation for b in gone] == [generation]

    client.restore_bucket("comes-back", generation)

    assert client.get_bucket("comes-back").location == "EUROPE-WEST1"


def test_buckets_are_listed_by_prefix_and_page(client: Client) -> None:
    """A list is in the order of the names and comes in pages."""
    names = [f"listed-{number}" for number in range(5)]
    for name in reversed(names):
        client.create_bucket(name)

    pages = list(client.list_buckets(prefix="listed-", max_results=None, page_size=2).pages)

    assert [[b.name for b in page] for page in pages] == [names[:2], names[2:4], names[4:]]


def test_a_policy_is_guarded_by_its_etag(bucket: Bucket) -> None:
    """Two read-modify-writes at once: the second is a 412, and nothing of it stays."""
    first, second = (bucket.get_iam_policy(requested_policy_version=3) for _ in range(2))
    first.bindings.append({"role": "roles/storage.objectViewer", "members": ["user:a@example.com"]})
    second.bindings.append({"role": "roles/storage.objectAdmin", "members": ["user:b@example.com"]})
    bucket.set_iam_policy(first)

    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(second)

    roles = {b["role"] for b in bucket.get_iam_policy(requested_policy_version=3).bindings}
    assert "roles/storage.objectViewer" in roles
    assert "roles/storage.objectAdmin" not in roles


def test_conditions_are_taken_as_google_takes_them(client: Client) -> None:
    """They need uniform access and version 3, and then nobody reads the policy without them."""
    bucket = client.create_bucket("conditional-bucket")
    binding = {
        "role": "roles/storage.objectViewer",
        "members": {"user:a@example.com"},
        "condition": {
            "title": "for a while",
            "expression": 'request.time < timestamp("2100-01-01T00:00:00Z")',
        },
    }
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append(binding)

    with pytest.raises(PreconditionFailed, match="enable uniform bucket-level access"):
        bucket.set_iam_policy(policy)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append(binding)
    with pytest.raises(BadRequest, match="at least 3"):
        bucket.set_iam_policy(policy)
    policy.version = 3
    assert bucket.set_iam_policy(policy).version == 3
    for version in (None, 2):
        with pytest.raises(BadRequest, match="cannot be less than the existing policy version"):
            bucket.get_iam_policy(requested_policy_version=version)


def test_a_grant_on_a_bucket_opens_its_objects(
    client_of: Callable[[str], Client], bucket: Bucket
) -> None:
    """A role on a bucket reaches its objects, as far as the role goes and no further."""
    bucket.blob("deep/er/x").upload_from_string("x")
    reader = client_of("reader@example.com")
    theirs = reader.bucket(bucket.name).blob("deep/er/x")
    with pytest.raises(Forbidden, match=r"storage\.objects\.get"):
        theirs.download_as_bytes()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append(
        {"role": "roles/storage.objectViewer", "members": ["user:reader@example.com"]}
    )
    bucket.set_iam_policy(policy)

    assert theirs.download_as_bytes() == b"x"
    with pytest.raises(Forbidden, match=r"storage\.objects\.create"):
        theirs.upload_from_string("y")
    asked = ["storage.objects.get", "storage.objects.delete"]
    assert reader.bucket(bucket.name).test_iam_permissions(asked) == ["storage.objects.get"]


def test_a_creator_cannot_overwrite(client_of: Callable[[str], Client], bucket: Bucket) -> None:
    """Replacing an object needs the right to delete it, too."""
    policy = bucket.get_iam_policy(requested_policy_version=3)
    member = "user:creator@example.com"
    policy.bindings.append({"role": "roles/storage.objectCreator", "members": [member]})
    bucket.set_iam_policy(policy)
    creator = client_of("creator@example.com")
    blob = creator.bucket(bucket.name).blob("x")
    blob.upload_from_string("1")

    with pytest.raises(Forbidden, match=r"storage\.objects\.delete"):
        blob.upload_from_string("2")


def test_public_access_prevention_keeps_the_public_out(bucket: Bucket) -> None:
    """An enforced bucket refuses bindings for everyone."""
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.patch()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": ["allUsers"]})

    with pytest.raises(PreconditionFailed, match="public access prevention"):
        bucket.set_iam_policy(policy)


def test_acls_are_refused_under_uniform_access(bucket: Bucket) -> None:
    """Where policies decide alone, no list can be set."""
    with pytest.raises(BadRequest, match="uniform bucket-level access"):
        bucket.blob("x").upload_from_string("x", predefined_acl="publicRead")


def test_what_is_not_known_is_refused(client: Client, bucket: Bucket) -> None:
    """A method without a handler is a 501 that names it."""
    with pytest.raises(GoogleAPICallError, match=r"storage\.anywhereCaches\.list"):
        client._get_resource(f"/b/{bucket.name}/anywhereCaches")


def test_the_public_reads_what_is_opened_to_it(bucket: Bucket) -> None:
    """A caller without a token reads what allUsers may, unless prevention is enforced."""
    bucket.blob("x").upload_from_string("open")
    url = f"https://storage.googleapis.com/storage/v1/b/{bucket.name}/o/x?alt=media"
    assert requests.get(url, timeout=10).status_code == 401
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": ["allUsers"]})
    bucket.set_iam_policy(policy)

    assert requests.get(url, timeout=10).content == b"open"
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.patch()
    refused = requests.get(url, timeout=10)
    assert refused.status_code == 401
    assert "public access prevention" in refused.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("ipFilter", {"mode": "Enabled"}), ("encryption", {"defaultKmsKeyName": "projects/p/key"})],
)
def test_settings_that_would_do_nothing_are_refused(
    client: Client, field: str, value: object
) -> None:
    """What would only be kept, and is more than a label, is a 501 that names it."""
    made = client.bucket("does-nothing")
    made._patch_property(field, value)

    with pytest.raises(GoogleAPICallError, match=field):
        client.create_bucket(made)
