"""Multipart uploads of the XML API: parts in any order, joined at the end.

See cloud.google.com/storage/docs/multipart-uploads; google-cloud-storage's ``transfer_manager``
sends large files this way.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.errors import ApiError
from localcloud.service import Reply
from localcloud.services.storage import (
    bucket_rules,
    checksums,
    csek,
    generations,
    names,
    shelf,
    views,
)
from localcloud.services.storage.depot import sync
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.generations import Content
from localcloud.services.storage.objects import check_overwrite
from localcloud.services.storage.rights import access
from localcloud.services.storage.xml import xml_headers, xml_words

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.services.storage.depot import Depot

_MOST_PARTS = 10_000
_SMALLEST = 5 * 1024 * 1024


class _Part(NamedTuple):
    """One part that has arrived."""

    number: int
    blob: str
    size: int
    md5: str
    written: float


def begin(call: Call, bucket: str, name: str) -> Reply:
    """Open an upload and say under which id."""
    _may(call, bucket, name, "storage.multipartUploads.create", "storage.objects.create")
    names.check_object_name(name)
    depot = depot_of(call.cloud)
    upload = uuid.uuid4().hex
    with depot.transaction():
        found = shelf.fetch_bucket(depot, bucket)
        call.params |= xml_headers.acl(call.headers)
        given = xml_headers.metadata(call.headers)
        given.setdefault("contentType", "application/octet-stream")
        if "storageClass" in given:
            bucket_rules.check_class(given["storageClass"])
        given |= access.new_list(call, found, given) | csek.metadata(csek.read(call.headers))
        depot.execute(
            "INSERT INTO multiparts VALUES (?, ?, ?, ?, ?)",
            upload,
            bucket,
            name,
            depot.now(),
            json.dumps(given),
        )
    fields = [("Bucket", bucket), ("Key", name), ("UploadId", upload)]
    return xml_words.document("InitiateMultipartUploadResult", fields)


def put_part(call: Call, bucket: str, name: str, query: dict[str, str]) -> Reply:
    """Take one part; one of the same number that came before is replaced."""
    _may(call, bucket, name, "storage.multipartUploads.create", "storage.objects.create")
    number = query.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive."
        raise ApiError(400, message, reason="InvalidArgument")
    if call.upload is None:
        raise LookupError("the body of a PUT is always spooled")
    depot = depot_of(call.cloud)
    checksums.check(checksums.Sums(call.upload.crc32c, call.upload.md5), {}, call.headers)
    sync(call.upload.path)
    with depot.transaction():
        request = _request(depot, bucket, name, query["uploadId"])
        digest = request.get("customerEncryption", {}).get("keySha256")
        if csek.read(call.headers) != digest:
            message = "The provided encryption key is incorrect."
            raise ApiError(400, message, reason="CustomerEncryptionKeyIsIncorrect")
        _drop(depot, [p for p in _parts(depot, query["uploadId"]) if p.number == int(number)])
        depot.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)",
            query["uploadId"],
            int(number),
            depot.take(call.upload.path),
            call.upload.size,
            call.upload.md5,
            depot.now(),
        )
    sums = f"crc32c={call.upload.crc32c},md5={call.upload.md5}"
    return Reply(200, b"", {"etag": _etag(call.upload.md5), "x-goog-hash": sums})


def complete(call: Call, bucket: str, name: str, query: dict[str, str]) -> Reply:
    """Join the parts the body names into the object."""
    _may(call, bucket, name, "storage.multipartUploads.create", "storage.objects.create")
    raw = call.upload.path.read_bytes() if call.upload is not None else b""
    wanted = [
        (int(part.get("PartNumber", "0")), part.get("ETag", "").strip('"'))
        for part in xml_words.texts(xml_words.read(raw), "Part")
        if part.get("PartNumber", "0").isdigit()
    ]
    depot = depot_of(call.cloud)
    with depot.transaction():
        given = _request(depot, bucket, name, query["uploadId"])
        every = _parts(depot, query["uploadId"])
        chosen = _chosen(every, wanted)
        call.params |= xml_headers.conditions(call.headers)
        owner = shelf.fetch_bucket(depot, bucket)
        check_overwrite(call, depot, owner, name)
        blob = depot.join(part.blob for part in chosen)
        sums = checksums.of_file(depot.content(blob))
        size = sum(part.size for part in chosen)
        # An object of parts has no md5, as with Google.
        content = Content(blob, size, sums.crc32c, None)
        made = generations.commit(depot, owner, name, content, given)
        _forget(depot, query["uploadId"], every)
    shown = views.entry(owner, made, unlocked=True)
    headers = xml_headers.of_made(shown)
    fields = [
        ("Location", f"http://storage.googleapis.com/{bucket}/{name}"),
        ("Bucket", bucket),
        ("Key", name),
        ("ETag", headers["etag"]),
    ]
    reply = xml_words.document("CompleteMultipartUploadResult", fields)
    return Reply(200, reply.body, {**headers, **reply.headers})


def abort(call: Call, bucket: str, name: str, query: dict[str, str]) -> Reply:
    """Forget an upload and its parts."""
    _may(call, bucket, name, "storage.multipartUploads.abort")
    depot = depot_of(call.cloud)
    with depot.transaction():
        _request(depot, bucket, name, query["uploadId"])
        _forget(depot, query["uploadId"], _parts(depot, query["uploadId"]))
    return Reply(204, b"")


def list_parts(call: Call, bucket: str, name: str, query: dict[str, str]) -> Reply:
    """Show the parts that have arrived."""
    _may(call, bucket, name, "storage.multipartUploads.listParts")
    depot = depot_of(call.cloud)
    with depot.transaction():
        _request(depot, bucket, name, query["uploadId"])
        found = _parts(depot, query["uploadId"])
    head = [("Bucket", bucket), ("Key", name), ("UploadId", query["uploadId"])]
    items = [
        (
            "Part",
            [
                ("PartNumber", part.number),
                ("LastModified", views.stamp(part.written)),
                ("ETag", _etag(part.md5)),
                ("Size", part.size),
            ],
        )
        for part in found
    ]
    return xml_words.document("ListPartsResult", [*head, ("IsTruncated", "false"), *items])


def list_uploads(call: Call, bucket: str, query: dict[str, str]) -> Reply:
    """Show the uploads of a bucket that are not complete."""
    _may(call, bucket, None, "storage.multipartUploads.list")
    depot = depot_of(call.cloud)
    shelf.fetch_bucket(depot, bucket)
    rows = depot.rows("SELECT * FROM multiparts WHERE bucket = ? ORDER BY name, began", bucket)
    items = [
        (
            "Upload",
            [
                ("Key", row["name"]),
                ("UploadId", row["id"]),
                ("Initiated", views.stamp(row["began"])),
            ],
        )
        for row in rows
        if row["name"].startswith(query.get("prefix", ""))
    ]
    head = [("Bucket", bucket), ("IsTruncated", "false")]
    return xml_words.document("ListMultipartUploadsResult", [*head, *items])


def abort_older(depot: Depot, bucket: str, before: float, matches: Any) -> None:
    """Forget a bucket's uploads that began before a moment, if their names match."""
    for row in depot.rows(
        "SELECT * FROM multiparts WHERE bucket = ? AND began <= ?", bucket, before
    ):
        if matches(row["name"]):
            _forget(depot, row["id"], _parts(depot, row["id"]))


def _chosen(every: list[_Part], wanted: list[tuple[int, str]]) -> list[_Part]:
    if not wanted:
        message = "The XML you provided was not well-formed or did not validate."
        raise ApiError(400, message, reason="MalformedXML")
    numbers = [number for number, _ in wanted]
    if numbers != sorted(set(numbers)):
        message = "The list of parts was not in ascending order."
        raise ApiError(400, message, reason="InvalidPartOrder")
    known = {part.number: part for part in every}
    chosen = []
    for number, etag in wanted:
        part = known.get(number)
        if part is None or etag != _etag(part.md5).strip('"'):
            message = "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
            raise ApiError(400, message, reason="InvalidPart")
        chosen.append(part)
    if any(part.size < _SMALLEST for part in chosen[:-1]):
        message = "Your proposed upload is smaller than the minimum allowed object size."
        raise ApiError(400, message, reason="EntityTooSmall")
    return chosen


def _may(call: Call, bucket: str, name: str | None, *permissions: str) -> None:
    # A refusal names what the JSON API would have called the bucket.
    call.params["bucket"] = bucket
    for permission in permissions:
        call.require(permission, names.resource_name(bucket, name))


def _request(depot: Depot, bucket: str, name: str, upload: str) -> dict[str, Any]:
    row = depot.row("SELECT * FROM multiparts WHERE id = ?", upload)
    if row is None or (row["bucket"], row["name"]) != (bucket, name):
        message = "The requested upload was not found."
        raise ApiError(404, message, reason="NoSuchUpload")
    found: dict[str, Any] = json.loads(row["request"])
    return found


def _parts(depot: Depot, upload: str) -> list[_Part]:
    rows = depot.rows("SELECT * FROM parts WHERE upload = ? ORDER BY number", upload)
    return [
        _Part(row["number"], row["blob"], row["size"], row["md5"], row["written"]) for row in rows
    ]


def _forget(depot: Depot, upload: str, parts: list[_Part]) -> None:
    _drop(depot, parts)
    depot.execute("DELETE FROM parts WHERE upload = ?", upload)
    depot.execute("DELETE FROM multiparts WHERE id = ?", upload)


def _drop(depot: Depot, parts: list[_Part]) -> None:
    for part in parts:
        depot.discard(part.blob)


def _etag(md5: str) -> str:
    return f'"{binascii.hexlify(base64.b64decode(md5)).decode()}"'
