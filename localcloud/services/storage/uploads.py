"""Objects made of bytes that arrive: in one request, with metadata, or in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from localcloud.errors import ApiError
from localcloud.service import Call, Reply, Resource, Upload
from localcloud.services.storage import (
    checksums,
    csek,
    generations,
    names,
    retention,
    sessions,
    shelf,
    views,
)
from localcloud.services.storage.depot import sync
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.generations import Content
from localcloud.services.storage.objects import check_overwrite
from localcloud.services.storage.preconditions import Preconditions
from localcloud.services.storage.rights import access

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.services.storage.sessions import Session

_CANCELLED = 499
_INCOMPLETE = 308

_SIMPLE = {"media", "multipart"}
_KEPT = (
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
    "contentEncoding",
    "name",
    "projection",
)
"""Parameters of the first request of a resumable upload that count at its end."""


def insert(call: Call) -> Resource | Reply:
    """Take an upload of any kind."""
    if call.get("kmsKeyName"):
        raise ApiError(501, "Customer-managed keys are not known here.", reason="notImplemented")
    key = csek.read(call.headers)
    if call.get("upload_id"):
        return _continue(call)
    generations.refuse_unknown(call.body)
    if call.get("uploadType") == "resumable":
        return _begin(call)
    if call.upload is None or call.get("uploadType") not in _SIMPLE:
        message = "Upload requests must include an uploadType URL parameter and a URL path beginning with /upload/"
        raise ApiError(400, message, reason="wrongUrlForUpload")
    kind, sums = call.upload.content_type, _sums(call.upload)
    return _store(call, call.body, call.upload.path, sums=sums, content_type=kind, key=key)


def _sums(upload: Upload) -> checksums.Sums:
    return checksums.Sums(upload.crc32c, upload.md5)


def _store(
    call: Call,
    metadata: Resource,
    path: Path,
    *,
    sums: checksums.Sums,
    content_type: str | None,
    key: str | None,
    session: Session | None = None,
) -> Resource:
    checksums.check(sums, metadata, call.headers)
    depot = depot_of(call.cloud)
    name = names.check_object_name(call.get("name") or metadata.get("name"))
    given = dict(metadata)
    given["contentType"] = given.get("contentType") or content_type or "application/octet-stream"
    if call.get("contentEncoding"):
        given["contentEncoding"] = call["contentEncoding"]
    sync(path)
    size = path.stat().st_size
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        if session is None:
            check_overwrite(call, depot, bucket, name)
        else:
            # Whoever began the upload was asked for the right to overwrite.
            live = shelf.live_entry(depot, bucket, name)
            Preconditions.read(call.get).check(live)
        given |= access.new_list(call, bucket, given) if session is None else {}
        given |= retention.of_new(call, bucket, given) | csek.metadata(key)
        content = Content(depot.take(path), size, sums.crc32c, sums.md5)
        entry = generations.commit(depot, bucket, name, content, given)
        full = (call.get("projection") or ("full" if metadata.get("acl") else "noAcl")) == "full"
        made = views.entry(bucket, entry, full=full, unlocked=True)
        if session is not None:
            sessions.finish(depot, session, made)
    return made


def _begin(call: Call) -> Reply:
    depot = depot_of(call.cloud)
    name = names.check_object_name(call.get("name") or call.body.get("name"))
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        # Asked again at the end; now it saves sending the bytes for nothing.
        check_overwrite(call, depot, bucket, name)
        lists = access.new_list(call, bucket, call.body)
    request = {
        "params": {key: call[key] for key in _KEPT if call.get(key) is not None} | {"name": name},
        "metadata": call.body,
        "lists": lists,
        "key": csek.read(call.headers),
        "contentType": call.headers.get("x-upload-content-type"),
        "size": call.headers.get("x-upload-content-length"),
        "began": depot.now(),
    }
    session = sessions.begin(depot, bucket.name, request)
    query = urlencode({"uploadType": "resumable", "name": name, "upload_id": session})
    where = f"{names.HOST}/upload/storage/v1/b/{bucket.name}/o?{query}"
    return Reply(200, b"", {"location": where, "x-guploader-uploadid": session})


def _continue(call: Call) -> Resource | Reply:
    depot = depot_of(call.cloud)
    session = sessions.fetch(depot, call["upload_id"])
    if session.bucket != call["bucket"]:
        raise ApiError(404, "The upload session was not found.", reason="notFound")
    with depot.session_lock(session.id):
        session = sessions.fetch(depot, session.id)
        if session.finished is not None:
            return session.finished
        if call.http_method == "DELETE":
            sessions.cancel(depot, session)
            return Reply(_CANCELLED, b"")
        size = call.upload.size if call.upload else 0
        chunk = sessions.Chunk.read(call.headers.get("content-range"), size)
        source = call.upload.path if call.upload else None
        if not sessions.receive(depot, session, chunk, source):
            received = sessions.fetch(depot, session.id).received
            span = {"range": f"bytes=0-{received - 1}"} if received else {}
            return Reply(_INCOMPLETE, b"", span)
        part = depot.part(session.id)
        part.touch()
        whole = call.upload is not None and call.upload.size == part.stat().st_size
        call.params |= session.request["params"]
        return _store(
            call,
            session.request["metadata"] | session.request.get("lists", {}),
            part,
            # What came in one piece was summed up while it arrived.
            sums=_sums(call.upload) if whole and call.upload else checksums.of_file(part),
            content_type=session.request["contentType"],
            key=session.request.get("key"),
            session=session,
        )
