"""Objects made of other objects: compose, copy and rewrite."""

from localcloud.errors import ApiError
from localcloud.service import Call, Resource
from localcloud.services.storage import checksums, csek, generations, names, retention, shelf
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.generations import Content
from localcloud.services.storage.objects import check_overwrite, shown
from localcloud.services.storage.preconditions import Preconditions, failed
from localcloud.services.storage.rights import access
from localcloud.services.storage.shelf import Bucket, Entry

_MOST_PARTS = 32
_MEBIBYTE = 1 << 20
_PREDEFINED = "destinationPredefinedAcl"


def compose(call: Call) -> Resource:
    """Join up to 32 objects of a bucket into one."""
    generations.refuse_unknown(call.body.get("destination") or {})
    key = csek.read(call.headers)
    parts = call.body.get("sourceObjects") or []
    if not parts:
        message = "You must provide at least one source component."
        raise ApiError(400, message, reason="required")
    if len(parts) > _MOST_PARTS:
        message = (
            f"The number of source components provided ({len(parts)}) exceeds the maximum (32)"
        )
        raise ApiError(400, message, reason="invalid")
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["destinationBucket"])
        found = [_component(depot, bucket, part) for part in parts]
        for component in found:
            csek.check(component, key)
        name = call["destinationObject"]
        check_overwrite(call, depot, bucket, name)
        given = dict(call.body.get("destination") or {})
        given.setdefault("contentType", found[0].resource.get("contentType"))
        given |= access.new_list(call, bucket, given, _PREDEFINED)
        given |= retention.of_new(call, bucket, given) | csek.metadata(key)
        content = _joined(depot, found)
        made = generations.commit(depot, bucket, name, content, given)
    return shown(call, bucket, made)


def copy(call: Call) -> Resource:
    """Copy an object, with its metadata or that of the body."""
    bucket, made = _copy(call)
    return shown(call, bucket, made)


def rewrite(call: Call) -> Resource:
    """Copy an object, and say that it is done: no copy here takes a second call."""
    if call.get("rewriteToken"):
        message = "Invalid rewrite token: no copy here ever needs one."
        raise ApiError(400, message, reason="invalid")
    most = call.get("maxBytesRewrittenPerCall")
    if most is not None and (most <= 0 or most % _MEBIBYTE):
        message = "maxBytesRewrittenPerCall must be a multiple of 1048576 bytes."
        raise ApiError(400, message, reason="invalid")
    bucket, made = _copy(call)
    return {
        "kind": "storage#rewriteResponse",
        "totalBytesRewritten": str(made.size),
        "objectSize": str(made.size),
        "done": True,
        "resource": shown(call, bucket, made),
    }


def _copy(call: Call) -> tuple[Bucket, Entry]:
    generations.refuse_unknown(call.body)
    key = csek.read(call.headers)
    depot = depot_of(call.cloud)
    with depot.transaction():
        origin = shelf.fetch_bucket(depot, call["sourceBucket"])
        source = shelf.fetch_entry(
            depot, origin, call["sourceObject"], call.get("sourceGeneration")
        )
        Preconditions.read(call.get, prefix="ifSource").check(source)
        # The older method has one set of headers, for both objects.
        both = call.method == "storage.objects.copy"
        csek.check(source, key if both else csek.read(call.headers, csek.SOURCE))
        bucket = shelf.fetch_bucket(depot, call["destinationBucket"])
        name = call["destinationObject"]
        target = names.resource_name(bucket.name, name)
        call.require("storage.objects.create", target)
        check_overwrite(call, depot, bucket, name)
        given = _metadata(call.body, source, bucket)
        given |= access.new_list(call, bucket, call.body, _PREDEFINED)
        given |= retention.of_new(call, bucket, call.body) | csek.metadata(key)
        made = generations.commit(depot, bucket, name, generations.content_of(depot, source), given)
    return bucket, made


def _metadata(body: Resource, source: Entry, bucket: Bucket) -> Resource:
    given = {key: body[key] for key in generations.SETTABLE if body.get(key) is not None}
    kept = {key: value for key, value in source.resource.items() if key in generations.SETTABLE}
    # A body with metadata replaces all of the source's; one without leaves it as it was.
    metadata = given or kept
    metadata.setdefault("contentType", kept.get("contentType"))
    storage_class = body.get("storageClass") or bucket.resource["storageClass"]
    return metadata | {"storageClass": storage_class}


def _component(depot: Depot, bucket: Bucket, part: Resource) -> Entry:
    generation = part.get("generation")
    number = None if generation is None else int(generation)
    found = shelf.fetch_entry(depot, bucket, part.get("name", ""), number)
    wanted = (part.get("objectPreconditions") or {}).get("ifGenerationMatch")
    if wanted is not None and int(wanted) != found.generation:
        raise failed()
    return found


def _joined(depot: Depot, found: list[Entry]) -> Content:
    blob = depot.join(entry.blob for entry in found)
    sums = checksums.of_file(depot.content(blob))
    components = sum(int(entry.resource.get("componentCount", 1)) for entry in found)
    # A composite object has no md5, as with Google.
    return Content(blob, sum(entry.size for entry in found), sums.crc32c, None, components)
