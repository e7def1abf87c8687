"""What guards an object: keys of the caller's own, retention, holds, and whoever pays."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Bucket, Client

_NUMBERS = itertools.count(1)
_KEY, _OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def retained(client: Client) -> Bucket:
    """A bucket whose objects can be retained."""
    made = client.bucket(f"retained-{next(_NUMBERS)}")
    made.soft_delete_policy.retention_duration_seconds = 0
    return client.create_bucket(made, enable_object_retention=True)


def _until(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def test_a_key_of_ones_own_is_needed_again(bucket: Bucket) -> None:
    """For every look at the bytes, and no other key does."""
    bucket.blob("x", encryption_key=_KEY).upload_from_string("secret")

    assert bucket.blob("x", encryption_key=_KEY).download_as_bytes() == b"secret"
    with pytest.raises(BadRequest, match="is encrypted by a customer-supplied"):
        bucket.blob("x").download_as_bytes()
    with pytest.raises(BadRequest, match="key is incorrect"):
        bucket.blob("x", encryption_key=_OTHER).download_as_bytes()
    bucket.blob("plain").upload_from_string("plain")
    with pytest.raises(BadRequest, match="is not encrypted by a customer-supplied"):
        bucket.blob("plain", encryption_key=_KEY).download_as_bytes()


def test_without_the_key_no_checksum_is_told(bucket: Bucket) -> None:
    """The metadata can be read, but for what says something about the bytes."""
    bucket.blob("x", encryption_key=_KEY).upload_from_string("secret")

    found = bucket.get_blob("x")

    assert (found.crc32c, found.md5_hash) == (None, None)
    assert found._properties["customerEncryption"]["encryptionAlgorithm"] == "AES256"
    assert bucket.get_blob("x", encryption_key=_KEY).crc32c


def test_a_key_is_changed_by_a_rewrite(bucket: Bucket) -> None:
    """Which needs the old one; a copy without it is refused."""
    old = bucket.blob("x", encryption_key=_KEY)
    old.upload_from_string("secret")

    bucket.blob("x", encryption_key=_OTHER).rewrite(old)

    assert bucket.blob("x", encryption_key=_OTHER).download_as_bytes() == b"secret"
    with pytest.raises(BadRequest):
        bucket.copy_blob(bucket.blob("x"), bucket, "copy")
    with pytest.raises(BadRequest):
        bucket.blob("sum").compose([bucket.blob("x")])
    assert bucket.get_blob("copy") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Goog-Encryption-Algorithm", "AES128"),
        ("X-Goog-Encryption-Key", "c2hvcnQ="),
        ("X-Goog-Encryption-Key-Sha256", "AAAA"),
    ],
)
def test_keys_that_are_none_are_refused(
    bucket: Bucket, client: Client, name: str, value: str
) -> None:
    """A wrong algorithm, a short key, a digest of something else."""
    blob = bucket.blob("x", encryption_key=_KEY)
    blob.upload_from_string("x")
    headers = {
        "X-Goog-Encryption-Algorithm": "AES256",
        "X-Goog-Encryption-Key": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
        "X-Goog-Encryption-Key-Sha256": blob._properties["customerEncryption"]["keySha256"],
    }
    path, query = f"{blob.path}", {"alt": "media"}
    call = client._connection.api_request
    call(method="GET", path=path, query_params=query, headers=headers, expect_json=False)

    with pytest.raises(BadRequest):
        call(method="GET", path=path, query_params=query, headers={**headers, name: value})


def test_a_retained_object_stays(retained: Bucket) -> None:
    """It can be neither deleted nor overwritten before its time."""
    blob = retained.blob("x")
    blob.upload_from_string("x")
    blob.retention.mode = "Unlocked"
    blob.retention.retain_until_time = _until(1)
    blob.patch()

    with pytest.raises(Forbidden, match="retention"):
        blob.delete()
    with pytest.raises(Forbidden, match="retention"):
        retained.blob("x").upload_from_string("y")
    assert retained.get_blob("x").retention.mode == "Unlocked"


def test_retention_is_shortened_only_on_purpose(retained: Bucket) -> None:
    """With a parameter that says so; a locked one not even then."""
    blob = retained.blob("x")
    blob.upload_from_string("x")
    blob.retention.mode = "Unlocked"
    blob.retention.retain_until_time = _until(2)
    blob.patch()
    blob.retention.retain_until_time = _until(1)
    with pytest.raises(Forbidden, match="overrideUnlockedRetention"):
        blob.patch()
    blob.patch(override_unlocked_retention=True)

    blob.retention.mode = "Locked"
    blob.patch()

    blob.retention.mode = None
    blob.retention.retain_until_time = None
    with pytest.raises(Forbidden, match="locked"):
        blob.patch(override_unlocked_retention=True)


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "Unlocked"},
        {"retainUntilTime": "2999-01-01T00:00:00Z"},
        {"mode": "Sometimes", "retainUntilTime": "2999-01-01T00:00:00Z"},
        {"mode": "Locked", "retainUntilTime": "2001-01-01T00:00:00Z"},
    ],
)
def test_half_a_retention_is_refused(retained: Bucket, given: dict[str, str]) -> None:
    """It needs a known mode and a time to come."""
    blob = retained.blob("x")
    blob.upload_from_string("x")
    blob._patch_property("retention", given)

    with pytest.raises(BadRequest):
        blob.patch()


def test_retention_must_be_enabled_on_the_bucket(bucket: Bucket) -> None:
    """When it is made, and never after."""
    blob = bucket.blob("x")
    blob.upload_from_string("x")
    blob.retention.mode = "Unlocked"
    blob.retention.retain_until_time = _until(1)

    with pytest.raises(BadRequest, match="not enabled"):
        blob.patch()


def test_custom_time_only_grows(bucket: Bucket) -> None:
    """Lifecycle rules go by it, so it cannot be taken back."""
    blob = bucket.blob("x")
    blob.custom_time = datetime(2026, 1, 2, tzinfo=UTC)
    blob.upload_from_string("x")

    for back in (datetime(2026, 1, 1, tzinfo=UTC), None):
        blob.custom_time = back
        with pytest.raises(BadRequest, match="Custom time"):
            blob.patch()
    blob.custom_time = datetime(2026, 1, 3, tzinfo=UTC)
    blob.patch()
    assert bucket.get_blob("x").custom_time == datetime(2026, 1, 3, tzinfo=UTC)


def test_somebody_pays(bucket: Bucket, client_of: Callable[[str], Client]) -> None:
    """With requester pays a stranger must name a project, and one that there is."""
    bucket.blob("x").upload_from_string("x")
    bucket.requester_pays = True
    bucket.patch()
    policy = bucket.get_iam_policy(requested_policy_version=3)
    member = "user:payer@example.com"
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": [member]})
    bucket.set_iam_policy(policy)
    theirs = client_of("payer@example.com")

    with pytest.raises(BadRequest, match="requester pays bucket but no user project"):
        theirs.bucket(bucket.name).blob("x").download_as_bytes()
    with pytest.raises(BadRequest, match="User project"):
        theirs.bucket(bucket.name, user_project="nobodys").blob("x").download_as_bytes()
    paid = theirs.bucket(bucket.name, user_project=bucket.client.project)
    assert paid.blob("x").download_as_bytes() == b"x"


@pytest.mark.parametrize("mask", ["nope", "items(nope)", "items/owner/nope", "items(name"])
def test_a_selection_of_fields_that_are_not_there_is_refused(bucket: Bucket, mask: str) -> None:
    """A partial answer never silently lacks what was asked for."""
    with pytest.raises(BadRequest, match="Invalid field selection"):
        list(bucket.list_blobs(fields=mask))


def test_contexts_are_listed_by(bucket: Bucket, client: Client) -> None:
    """A filter finds what has a key or a value, or has not; anything else is refused."""
    for name, value in (("a", "1"), ("b", "2"), ("c", None)):
        blob = bucket.blob(name)
        if value:
            blob._patch_property("contexts", {"custom": {"k": {"value": value}}})
        blob.upload_from_string("x")

    def names(text: str) -> list[str]:
        found = client._get_resource(f"/b/{bucket.name}/o", query_params={"filter": text})
        return [item["name"] for item in found.get("items", [])]

    assert names('contexts."k"="1"') == ["a"]
    assert names('contexts."k":*') == ["a", "b"]
    assert names('-contexts."k":*') == ["c"]
    with pytest.raises(BadRequest, match="filter"):
        names("size > 5")


def test_an_hmac_key_is_deleted_only_when_it_is_off(client: Client) -> None:
    """And its secret is told once."""
    email = "signer@elsewhere.iam.gserviceaccount.com"
    key, secret = client.create_hmac_key(email)

    assert len(secret) == 40
    assert "secret" not in client.get_hmac_key_metadata(key.access_id)._properties
    with pytest.raises(BadRequest, match="ACTIVE"):
        key.delete()
    key.state = "INACTIVE"
    key.update()
    key.delete()
    assert list(client.list_hmac_keys(service_account_email=email)) == []
    shown = client.list_hmac_keys(service_account_email=email, show_deleted_keys=True)
    assert [each.state for each in shown] == ["DELETED"]
    with pytest.raises(NotFound):
        client.get_hmac_key_metadata("GOOG1ENOPE").reload()
    with pytest.raises(NotFound, match="does not exist"):
        client.create_hmac_key("person@example.com")
