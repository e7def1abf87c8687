"""How buckets and objects are shown: what is stored, with the numbers and links made from it."""

from datetime import UTC, datetime

from localcloud.services.storage import names
from localcloud.services.storage.shelf import Bucket, Entry, Resource


def stamp(when: float) -> str:
    """Write a moment as this API does, to the millisecond."""
    text = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def moment(text: str) -> float:
    """Read a moment as this API writes it."""
    return datetime.fromisoformat(text).timestamp()


def bucket(found: Bucket) -> Resource:
    """Show a bucket."""
    return {
        "kind": "storage#bucket",
        "id": found.name,
        "selfLink": names.bucket_link(found.name),
        "name": found.name,
        "generation": str(found.generation),
        "metageneration": str(found.metageneration),
        "etag": found.etag,
        **found.resource,
    }


def entry(owner: Bucket, found: Entry) -> Resource:
    """Show one generation of an object."""
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
        **found.resource,
    }
    until = retained_until(owner, found)
    if until is not None:
        shown["retentionExpirationTime"] = stamp(until)
    return shown


def retained_until(owner: Bucket, found: Entry) -> float | None:
    """Say until when the bucket's retention policy keeps a generation; None without a policy."""
    period = int(owner.resource.get("retentionPolicy", {}).get("retentionPeriod", 0))
    if not period:
        return None
    return moment(found.resource["timeCreated"]) + period
