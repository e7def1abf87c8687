"""Objects: read, listed, changed, deleted and brought back."""

from collections.abc import Callable
from dataclasses import replace

from localcloud.errors import ApiError
from localcloud.service import Call, Download, Resource
from localcloud.services.storage import downloads, generations, listing, names, shelf, views
from localcloud.services.storage.buckets import acl_refusal
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.shelf import Bucket, Entry


def get(call: Call) -> Resource | Download:
    """Show an object's metadata, or with ``alt=media`` send its bytes."""
    refuse_keys(call)
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        _refuse_public(call, bucket)
        if call.get("softDeleted"):
            found = shelf.deleted_entry(depot, bucket, call["object"], required_generation(call))
        else:
            found = _fetch(depot, bucket, call["object"], call.get("generation"))
        Preconditions.read(call.get, call.headers).check(found, reading=True)
        if downloads.wants_media(call):
            return downloads.send(depot, found, call.headers)
    return views.entry(bucket, found)


def list_all(call: Call) -> Resource:
    """Show one page of a bucket's objects and common prefixes."""
    versions, deleted = bool(call.get("versions")), bool(call.get("softDeleted"))
    if versions and deleted:
        message = "softDeleted and versions cannot be used together."
        raise ApiError(400, message, reason="invalid")
    if call.get("filter"):
        raise ApiError(501, "Listing by filter is not known here.", reason="notImplemented")
    delimiter = call.get("delimiter") or ""
    size = call.get("maxResults")
    if size is not None and size < 0:
        raise ApiError(400, f"Invalid value for maxResults: {size}", reason="invalid")
    wanted = listing.Wanted(
        kind="versions" if versions else "deleted" if deleted else "live",
        prefix=call.get("prefix") or "",
        delimiter=delimiter,
        start=call.get("startOffset") or "",
        end=call.get("endOffset") or "",
        glob=listing.pattern(call.get("matchGlob"), delimiter),
        trailing=bool(call.get("includeTrailingDelimiter")),
        size=min(size or listing.MOST, listing.MOST),
        token=call.get("pageToken"),
    )
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        _refuse_public(call, bucket)
        if deleted:
            shelf.drop_expired(depot)
        return listing.page(depot, bucket, wanted)


def patch(call: Call) -> Resource:
    """Change the metadata the body names; null removes."""
    given = {key: call.body[key] for key in generations.SETTABLE if key in call.body}
    return _change(call, lambda old: generations.merge(old, given))


def update(call: Call) -> Resource:
    """Replace all metadata by that of the body."""

    def replaced(old: Resource) -> Resource:
        fixed = {key: value for key, value in old.items() if key not in generations.SETTABLE}
        given = {key: call.body.get(key) for key in generations.SETTABLE}
        return fixed | {key: value for key, value in given.items() if value is not None}

    return _change(call, replaced)


def delete(call: Call) -> None:
    """Delete the live version, or the generation that is named, for good."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        generation = call.get("generation")
        found = _fetch(depot, bucket, call["object"], generation)
        Preconditions.read(call.get, call.headers).check(found)
        if generation is None:
            generations.retire(depot, bucket, found)
        else:
            generations.remove(depot, bucket, found)


def restore(call: Call) -> Resource:
    """Make a copy of a softly deleted generation the live version."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        found = shelf.deleted_entry(depot, bucket, call["object"], required_generation(call))
        live = shelf.live_entry(depot, bucket, found.name)
        Preconditions.read(call.get, call.headers).check(live)
        made = generations.commit(
            depot, bucket, found.name, content_of(depot, found), found.resource
        )
    return views.entry(bucket, made)


def move(call: Call) -> Resource:
    """Rename an object inside its bucket, in one step."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        source = _fetch(depot, bucket, call["sourceObject"], None)
        Preconditions.read(call.get, prefix="ifSource").check(source)
        check_overwrite(call, depot, bucket, call["destinationObject"])
        content = content_of(depot, source)
        target = call["destinationObject"]
        made = generations.commit(depot, bucket, target, content, source.resource)
        generations.retire(depot, bucket, source)
    return views.entry(bucket, made)


def check_overwrite(call: Call, depot: Depot, bucket: Bucket, name: str) -> None:
    """Check the preconditions on a target, and that the caller may replace what is there."""
    live = shelf.live_entry(depot, bucket, name)
    Preconditions.read(call.get, call.headers).check(live)
    if live is not None:
        call.require("storage.objects.delete", names.resource_name(bucket.name, name))


def content_of(depot: Depot, entry: Entry) -> generations.Content:
    """Return the content of a generation as one that another generation can have."""
    return generations.Content(
        depot.duplicate(entry.blob),
        entry.size,
        entry.resource["crc32c"],
        entry.resource.get("md5Hash"),
        entry.resource.get("componentCount"),
    )


def refuse_keys(call: Call) -> None:
    """Refuse encryption with a key of the caller's, which would otherwise be passed over."""
    if any(name.startswith("x-goog-encryption-") for name in call.headers):
        message = "Customer-supplied encryption keys are not known here."
        raise ApiError(501, message, reason="notImplemented")


def _refuse_public(call: Call, bucket: Bucket) -> None:
    prevention = bucket.resource["iamConfiguration"]["publicAccessPrevention"]
    if call.caller.anonymous and prevention == "enforced":
        message = "Anonymous caller does not have access: public access prevention is enforced."
        raise ApiError(401, message, reason="required")


def required_generation(call: Call) -> int:
    """Return the generation a call must name."""
    generation = call.get("generation")
    if generation is None:
        raise ApiError(400, "Required parameter: generation", reason="required")
    return int(generation)


def _fetch(depot: Depot, bucket: Bucket, name: str, generation: int | None) -> Entry:
    found = shelf.find_entry(depot, bucket, name, generation)
    if found is None:
        raise shelf.no_object(bucket.name, name)
    return found


def _change(call: Call, change: Callable[[Resource], Resource]) -> Resource:
    if call.get("predefinedAcl") or call.body.get("acl"):
        raise acl_refusal()
    generations.refuse_unknown(call.body)
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        found = _fetch(depot, bucket, call["object"], call.get("generation"))
        Preconditions.read(call.get, call.headers).check(found)
        resource = change(found.resource) | {"updated": views.stamp(depot.now())}
        changed = replace(found, metageneration=found.metageneration + 1, resource=resource)
        return views.entry(bucket, shelf.save_entry(depot, changed))
