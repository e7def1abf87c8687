"""How buckets and objects are shown: what is stored, with the numbers and links made from it."""

from datetime import UTC, datetime

from localcloud.services.storage import names
from localcloud.services.storage.rights import acls
from localcloud.services.storage.shelf import Bucket, Entry, Resource


def stamp(when: float) -> str:
    """Write a moment as this API does, to the millisecond."""
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def moment(text: str) -> float:
    """Read a moment as this API writes it."""
    return datetime.fromisoformat(text).timestamp()


def bucket(found: Bucket, *, acl: list[dict[str, str]] | None = None) -> Resource:
    """Show a bucket; with *acl*, which is that list, its lists too."""
    shown = {
        "kind": "storage#bucket",
        "id": found.name,
        "selfLink": names.bucket_link(found.name),
        "name": found.name,
        "generation": str(found.generation),
        "metageneration": str(found.metageneration),
        "etag": found.etag,
        **_public(found.resource),
    }
    if acl is not None and not acls.uniform(found):
        number = found.resource["projectNumber"]
        of = {"bucket": found.name, "etag": found.etag}
        shown["acl"] = [
            acls.shown(grant, kind="storage#bucketAccessControl", of=of, number=number)
            for grant in acl
        ]
        shown["defaultObjectAcl"] = [
            acls.shown(grant, kind=_OBJECT_ACL, of=of | {"listed": False}, number=number)
            for grant in found.resource.get("_defaultObjectAcl", [])
        ]
        shown["owner"] = {"entity": f"project-owners-{number}"}
    return shown


_OBJECT_ACL = "storage#objectAccessControl"


def entry(owner: Bucket, found: Entry, *, full: bool = False, unlocked: bool = False) -> Resource:
    """Show one generation of an object.

    *full* shows its list and owner. *unlocked* says that the caller has its encryption key,
    without which the checksums of an encrypted object are not shown.
    """
    shown: Resource = {
        "kind": "storage#object",
        "id": f"{owner.name}/{found.name}/{found.generation}",
        "selfLink": names.object_link(owner.name, found.name),
        "mediaLink": names.media_link(owner.name, found.name, found.generation),
        "name": found.name,
        "bucket": owner.name,
        "generation": str(found.generation),
        "metageneration": str(found.metageneration),
        "etag": found.etag,
        **_public(found.resource),
    }
    if "customerEncryption" in shown and not unlocked:
        shown.pop("crc32c", None)
        shown.pop("md5Hash", None)
    until = retained_until(owner, found)
    if until is not None:
        shown["retentionExpirationTime"] = stamp(until)
    if full and "_acl" in found.resource and not acls.uniform(owner):
        number = owner.resource["projectNumber"]
        of = {
            "bucket": owner.name,
            "object": found.name,
            "generation": str(found.generation),
            "etag": found.etag,
        }
        shown["acl"] = [
            acls.shown(grant, kind=_OBJECT_ACL, of=of, number=number)
            for grant in found.resource["_acl"]
        ]
        if found.resource.get("_owner"):
            shown["owner"] = {"entity": found.resource["_owner"]}
    return shown


def _public(resource: Resource) -> Resource:
    # What begins with an underscore is kept for the server's own use.
    return {
        key: value
        for key, value in resource.items()
        if not key.startswith("_") and value is not None
    }


def retained_until(owner: Bucket, found: Entry) -> float | None:
    """Say until when the bucket's retention policy keeps a generation; None without a policy.

    Under an event-based hold the time has not begun; it begins when the hold is released
    (cloud.google.com/storage/docs/object-holds).
    """
    period = int(owner.resource.get("retentionPolicy", {}).get("retentionPeriod", 0))
    if not period or found.resource.get("eventBasedHold"):
        return None
    return moment(found.resource.get("_released") or found.resource["timeCreated"]) + period
