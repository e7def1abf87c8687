"""How a generation of an object comes to be, and the three ways in which it goes."""

from dataclasses import replace
from typing import NamedTuple

from localcloud.errors import ApiError
from localcloud.services.storage import bucket_rules, contexts, names, shelf, views
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.events import Event
from localcloud.services.storage.shelf import Bucket, Entry, Resource

SETTABLE = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "contexts",
    "customTime",
    "eventBasedHold",
    "metadata",
    "temporaryHold",
)
"""What a caller may say about an object; all else is the server's to say."""


_KEPT = ("_acl", "_owner", "customerEncryption", "retention")
"""What the server itself says about an object when it is made, besides its content."""

_UNKNOWN = ("kmsKeyName",)


_HEADERS = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
)
"""Fields that are sent as headers."""


def refuse_unknown(given: Resource) -> None:
    """Refuse metadata that promises something which would not be kept here."""
    for key in _UNKNOWN:
        if given.get(key):
            raise ApiError(501, f"The field {key} is not known here.", reason="notImplemented")


def check_headers(resource: Resource) -> None:
    """Refuse metadata that is sent as headers and cannot be one."""
    for key in _HEADERS:
        if any(sign < " " or sign == "\x7f" for sign in resource.get(key) or ""):
            raise ApiError(400, f"Invalid value for field {key}.", reason="invalid")


class Content(NamedTuple):
    """Bytes in the depot, not yet an object."""

    blob: str
    size: int
    crc32c: str
    md5: str | None
    components: int | None = None


def content_of(depot: Depot, entry: Entry) -> Content:
    """Return the content of a generation as one that another generation can have."""
    return Content(
        depot.duplicate(entry.blob),
        entry.size,
        entry.resource["crc32c"],
        entry.resource.get("md5Hash"),
        entry.resource.get("componentCount"),
    )


def commit(depot: Depot, bucket: Bucket, name: str, content: Content, given: Resource) -> Entry:
    """Make *content* the live generation of an object and retire the one before it.

    The caller holds the transaction in which it has checked its preconditions.
    """
    names.check_object_name(name)
    check_headers(given)
    storage_class = given.get("storageClass") or bucket.resource["storageClass"]
    bucket_rules.check_class(storage_class)
    before = shelf.live_entry(depot, bucket, name)
    generation = depot.next_generation()
    if before is not None:
        retire(depot, bucket, before, by=generation)
    now = views.stamp(depot.now())
    resource: Resource = {
        "storageClass": storage_class,
        "size": str(content.size),
        "crc32c": content.crc32c,
        "timeCreated": now,
        "updated": now,
        "timeStorageClassUpdated": now,
        "timeFinalized": now,
    }
    if content.md5 is not None:
        resource["md5Hash"] = content.md5
    if content.components is not None:
        resource["componentCount"] = content.components
    if bucket.resource.get("defaultEventBasedHold"):
        resource["eventBasedHold"] = True
    resource |= {key: given[key] for key in (*SETTABLE, *_KEPT) if given.get(key) is not None}
    if "contexts" in resource:
        resource["contexts"] = contexts.stamped(resource["contexts"], None, now)
    made = Entry(
        bucket=bucket.key,
        name=name,
        generation=generation,
        metageneration=1,
        live=True,
        purge_at=None,
        blob=content.blob,
        resource=resource,
    )
    shelf.add_entry(depot, made)
    over = {} if before is None else {"overwroteGeneration": str(before.generation)}
    depot.tell(Event("OBJECT_FINALIZE", bucket, made, over))
    return made


def retire(depot: Depot, bucket: Bucket, entry: Entry, *, by: int | None = None) -> None:
    """Take the live generation out of the way: noncurrent in a versioned bucket, else deleted.

    *by* is the generation that takes its place, if one does.
    """
    if bucket.resource.get("versioning", {}).get("enabled"):
        resource = {**entry.resource, "timeDeleted": views.stamp(depot.now())}
        saved = shelf.save_entry(depot, replace(entry, live=False, resource=resource))
        depot.tell(Event("OBJECT_ARCHIVE", bucket, saved, _overwritten(by)))
    else:
        remove(depot, bucket, entry, by=by)


def remove(depot: Depot, bucket: Bucket, entry: Entry, *, by: int | None = None) -> None:
    """Delete a generation; under a soft delete policy it can still be restored for a while."""
    refuse_held(bucket, entry, depot.now())
    depot.tell(Event("OBJECT_DELETE", bucket, entry, _overwritten(by)))
    now = depot.now()
    seconds = int(bucket.resource.get("softDeletePolicy", {}).get("retentionDurationSeconds", 0))
    if not seconds:
        shelf.drop_entry(depot, entry)
        return
    resource = {
        **entry.resource,
        "timeDeleted": entry.resource.get("timeDeleted", views.stamp(now)),
        "softDeleteTime": views.stamp(now),
        "hardDeleteTime": views.stamp(now + seconds),
    }
    shelf.save_entry(depot, replace(entry, live=False, purge_at=now + seconds, resource=resource))


def _overwritten(by: int | None) -> dict[str, str]:
    return {} if by is None else {"overwrittenByGeneration": str(by)}


def refuse_held(bucket: Bucket, entry: Entry, now: float) -> None:
    """Refuse to delete a generation that a hold or a retention time keeps."""
    for hold, word in (("temporaryHold", "temporary"), ("eventBasedHold", "event-based")):
        if entry.resource.get(hold):
            message = f"Object '{bucket.name}/{entry.name}' is under active {word} hold and cannot be deleted, overwritten or archived until hold is removed."
            raise ApiError(403, message, reason="forbidden")
    until = views.retained_until(bucket, entry)
    if until is not None and until > now:
        message = f"Object '{bucket.name}/{entry.name}' is subject to bucket's retention policy and cannot be deleted, overwritten or archived until {views.stamp(until)}"
        raise ApiError(403, message, reason="retentionPolicyNotMet")
    kept = entry.resource.get("retention", {}).get("retainUntilTime")
    if kept is not None and views.moment(kept) > now:
        message = f"Object '{bucket.name}/{entry.name}' is subject to its retention configuration and cannot be deleted or overwritten until {kept}"
        raise ApiError(403, message, reason="retentionPolicyNotMet")
