"""Lists of the XML API: buckets, and objects in its first and second version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.services.storage.xml import xml_headers, xml_words

if TYPE_CHECKING:
    from localcloud.service import Reply
    from localcloud.services.storage.xml.xml_face import Ask

_LAST = "\U0010ffff"
_MOST = 1000


def buckets(ask: Ask) -> Reply:
    """List the project's buckets."""
    project = ask.call.headers.get("x-goog-project-id", ask.call.cloud.project)
    found = ask.json("GET", "/storage/v1/b", {"project": project}).json().get("items", [])
    items = [
        ("Bucket", [("Name", each["name"]), ("CreationDate", each["timeCreated"])])
        for each in found
    ]
    owner = [("ID", ask.call.cloud.number)]
    return xml_words.document("ListAllMyBucketsResult", [("Owner", owner), ("Buckets", items)])


def place(bucket: dict[str, Any]) -> Reply:
    """Say where a bucket lies."""
    return xml_words.document("LocationConstraint", [("LocationConstraint", bucket["location"])])


def objects(ask: Ask) -> Reply:
    """List one page of a bucket's objects."""
    given = ask.query
    second = given.get("list-type") == "2"
    size = given.get("max-keys", str(_MOST))
    if not size.isdigit():
        message = f"Invalid value for max-keys: {size}"
        raise ApiError(400, message, reason="InvalidArgument")
    query: dict[str, Any] = {"maxResults": min(int(size), _MOST) or 1}
    for parameter, name in (("prefix", "prefix"), ("delimiter", "delimiter")):
        if given.get(parameter):
            query[name] = given[parameter]
    after = given.get("start-after" if second else "marker", "")
    if after:
        folder = given.get("delimiter") and after.endswith(given["delimiter"])
        query["startOffset"] = after + (_LAST if folder else "\x01")
    if given.get("continuation-token"):
        query["pageToken"] = given["continuation-token"]
    if "versions" in given:
        query["versions"] = "true"
    found = ask.json("GET", f"{ask.path}/o", query).json()
    if int(size) == 0:
        # JSON's 0 means the usual size, and this API's means nothing.
        found = {}
    items, prefixes = found.get("items", []), found.get("prefixes", [])
    token = found.get("nextPageToken")
    fields: list[tuple[str, Any]] = [
        ("Name", ask.bucket),
        ("Prefix", given.get("prefix", "")),
        ("MaxKeys", size),
        ("IsTruncated", "true" if token else "false"),
    ]
    if second:
        fields.append(("KeyCount", len(items) + len(prefixes)))
        fields += [("NextContinuationToken", token)] if token else []
    else:
        fields.append(("Marker", after))
        last = max([item["name"] for item in items] + prefixes, default="")
        fields += [("NextMarker", last)] if token else []
    if given.get("delimiter"):
        fields.append(("Delimiter", given["delimiter"]))
    fields += [("Contents", _item(item)) for item in items]
    fields += [("CommonPrefixes", [("Prefix", prefix)]) for prefix in prefixes]
    return xml_words.document("ListBucketResult", fields)


def _item(item: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        ("Key", item["name"]),
        ("Generation", item["generation"]),
        ("MetaGeneration", item["metageneration"]),
        ("LastModified", item["updated"]),
        ("ETag", xml_headers.quoted(item.get("md5Hash"), item["etag"])),
        ("Size", item["size"]),
        ("StorageClass", item["storageClass"]),
    ]
