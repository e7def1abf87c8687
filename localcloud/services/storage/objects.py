"""Objects: read, listed, changed, deleted and brought back."""

from collections.abc import Callable
from dataclasses import replace

from localcloud.errors import ApiError
from localcloud.merge import patched
from localcloud.service import Call, Download, Resource
from localcloud.services.storage import (
    contexts,
    csek,
    downloads,
    folders,
    generations,
    listing,
    names,
    retention,
    shelf,
    views,
)
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.events import Event
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.rights import access
from localcloud.services.storage.shelf import Bucket, Entry


def get(call: Call) -> Resource | Download:
    """Show an object's metadata, or with ``alt=media`` send its bytes."""
    key = csek.read(call.headers)
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        _refuse_public(call, bucket)
        if call.get("softDeleted"):
            found = shelf.deleted_entry(depot, bucket, call["object"], required_generation(call))
        else:
            found = _found(call, depot, bucket)
        Preconditions.read(call.get, call.headers).check(found, reading=True)
        if downloads.wants_media(call):
            csek.check(found, key)
            return downloads.send(depot, found, call.headers)
    return shown(call, bucket, found)


def shown(call: Call, bucket: Bucket, entry: Entry, *, default: str = "noAcl") -> Resource:
    """Show an object as the call's ``projection`` and encryption key allow."""
    full = (call.get("projection") or default) == "full"
    unlocked = csek.unlocks(entry, csek.read(call.headers))
    return views.entry(bucket, entry, full=full, unlocked=unlocked)


def list_all(call: Call) -> Resource:
    """Show one page of a bucket's objects and common prefixes."""
    versions, deleted = bool(call.get("versions")), bool(call.get("softDeleted"))
    if versions and deleted:
        message = "softDeleted and versions cannot be used together."
        raise ApiError(400, message, reason="invalid")
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
        matches=contexts.matcher(call.get("filter")),
        full=call.get("projection") == "full",
        folders=_folders(call) if call.get("includeFoldersAsPrefixes") else (),
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
    return _change(call, lambda old: patched(old, given))


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
        found = shelf.fetch_entry(depot, bucket, call["object"], generation)
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
            depot, bucket, found.name, generations.content_of(depot, found), found.resource
        )
    return shown(call, bucket, made)


def bulk_restore(call: Call) -> Resource:
    """Restore the softly deleted objects that match, at once, as an operation that is over."""
    asked = call.body
    globs = [listing.pattern(glob, "") for glob in asked.get("matchGlobs") or ["**"]]
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        latest: dict[str, Entry] = {}
        for entry in shelf.entries_from(depot, bucket, ("", 0), kind="deleted"):
            since = entry.resource["softDeleteTime"]
            if (
                any(glob and glob.fullmatch(entry.name) for glob in globs)
                and (asked.get("softDeletedAfterTime") or "") <= since
                and since <= (asked.get("softDeletedBeforeTime") or "9")
            ):
                latest[entry.name] = entry
        restored = 0
        for name, entry in latest.items():
            if shelf.live_entry(depot, bucket, name) and not asked.get("allowOverwrite"):
                continue
            content = generations.content_of(depot, entry)
            generations.commit(depot, bucket, name, content, entry.resource)
            restored += 1
    return folders.done(call, {"restoredObjects": str(restored)})


def move(call: Call) -> Resource:
    """Rename an object inside its bucket, in one step."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        source = shelf.fetch_entry(depot, bucket, call["sourceObject"], None)
        Preconditions.read(call.get, prefix="ifSource").check(source)
        check_overwrite(call, depot, bucket, call["destinationObject"])
        content = generations.content_of(depot, source)
        target = call["destinationObject"]
        made = generations.commit(depot, bucket, target, content, source.resource)
        generations.retire(depot, bucket, source)
    return shown(call, bucket, made)


def check_overwrite(call: Call, depot: Depot, bucket: Bucket, name: str) -> None:
    """Check the preconditions on a target, and that the caller may replace what is there."""
    live = shelf.live_entry(depot, bucket, name)
    Preconditions.read(call.get, call.headers).check(live)
    if live is not None:
        call.require("storage.objects.delete", names.resource_name(bucket.name, name))


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


def _change(call: Call, change: Callable[[Resource], Resource]) -> Resource:
    generations.refuse_unknown(call.body)
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        found = shelf.fetch_entry(depot, bucket, call["object"], call.get("generation"))
        Preconditions.read(call.get, call.headers).check(found)
        resource = change(found.resource) | {"updated": views.stamp(depot.now())}
        generations.check_headers(resource)
        resource = access.changed_list(call, bucket, resource)
        resource = retention.changed(call, bucket, found, resource)
        _refuse_earlier(found.resource.get("customTime"), resource.get("customTime"))
        now, old = views.stamp(depot.now()), found.resource.get("contexts")
        resource["contexts"] = contexts.stamped(resource.get("contexts"), old, now)
        changed = replace(found, metageneration=found.metageneration + 1, resource=resource)
        saved = shelf.save_entry(depot, changed)
        depot.tell(Event("OBJECT_METADATA_UPDATE", bucket, saved, {}))
    return shown(call, bucket, saved, default="full")


def _found(call: Call, depot: Depot, bucket: Bucket) -> Entry:
    """Return what a call names; who may not list must not learn from a 404 what is not there."""
    found = shelf.find_entry(depot, bucket, call["object"], call.get("generation"))
    if found is None:
        whole, right = names.resource_name(bucket.name), "storage.objects.list"
        if not call.cloud.iam.allowed(call.caller.member, right, "storage", whole):
            raise access.denial(call, right)
        raise shelf.no_object(bucket.name, call["object"])
    return found


def _refuse_earlier(before: str | None, after: str | None) -> None:
    if before and (not after or views.moment(after) < views.moment(before)):
        message = "Custom time cannot be removed or set to an earlier time than it has."
        raise ApiError(400, message, reason="invalid")


def _folders(call: Call) -> tuple[str, ...]:
    return folders.names_in(call.cloud, call["bucket"])
