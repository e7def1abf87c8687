"""The XML API's headers, in both directions: what JSON says in fields is said here in headers."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.services.storage import shelf, views
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.rights import acls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.service import Call, Upload

PASSED = (
    "range",
    "if-match",
    "if-none-match",
    "accept-encoding",
    "content-md5",
    "x-goog-hash",
    "x-goog-encryption-",
    "x-goog-copy-source-encryption-",
)
"""Beginnings of headers that mean the same on both faces."""

OVERRIDES = {
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-cache-control": "cache-control",
}

_CONDITIONS = {
    "x-goog-if-generation-match": "ifGenerationMatch",
    "x-goog-if-metageneration-match": "ifMetagenerationMatch",
    "x-goog-copy-source-if-generation-match": "ifSourceGenerationMatch",
    "x-goog-copy-source-if-metageneration-match": "ifSourceMetagenerationMatch",
}
_FIELDS = {
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
    "content-type": "contentType",
    "x-goog-custom-time": "customTime",
    "x-goog-storage-class": "storageClass",
    "x-amz-storage-class": "storageClass",
}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_META = ("x-goog-meta-", "x-amz-meta-")


def conditions(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the preconditions headers name, as parameters of the JSON API."""
    return {name: headers[header] for header, name in _CONDITIONS.items() if header in headers}


def acl(headers: Mapping[str, str], parameter: str = "predefinedAcl") -> dict[str, str]:
    """Return the predefined list headers name, as a parameter of the JSON API."""
    given = headers.get("x-goog-acl") or headers.get("x-amz-acl")
    if not given:
        return {}
    first, *rest = given.split("-")
    name = first + "".join(word.capitalize() for word in rest)
    if name not in acls.NAMES:
        raise ApiError(400, f"Invalid value for x-goog-acl: {given}", reason="InvalidArgument")
    return {parameter: name}


def metadata(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what headers say about an object, as the JSON API's fields."""
    found: dict[str, Any] = {
        field: headers[header] for header, field in _FIELDS.items() if headers.get(header)
    }
    custom = {
        header.removeprefix(prefix): value
        for header, value in headers.items()
        for prefix in _META
        if header.startswith(prefix)
    }
    if "customTime" in found:
        try:
            found["customTime"] = views.stamp(views.moment(found["customTime"]))
        except (OverflowError, ValueError):
            message = f"Invalid value for x-goog-custom-time: {found['customTime']}"
            raise ApiError(400, message, reason="InvalidArgument") from None
    return found | ({"metadata": custom} if custom else {})


def with_metadata(upload: Upload, headers: Mapping[str, str]) -> Upload:
    """Return an upload that carries what the headers say, as a multipart upload of JSON's does."""
    return replace(upload, metadata=metadata(headers))


def check_length(headers: Mapping[str, str], size: int) -> None:
    """Refuse a body outside the range the signer allowed."""
    allowed = headers.get("x-goog-content-length-range")
    if allowed is None:
        return
    low, _, high = allowed.partition(",")
    if not (low.strip().isdigit() and high.strip().isdigit()):
        message = f"Invalid x-goog-content-length-range: {allowed}"
        raise ApiError(400, message, reason="InvalidArgument")
    if size < int(low):
        message = "Your proposed upload is smaller than the minimum object size specified."
        raise ApiError(400, message, reason="EntityTooSmall")
    if size > int(high):
        message = "Your proposed upload exceeds the maximum object size specified."
        raise ApiError(400, message, reason="EntityTooLarge")


def of_made(made: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that describe an object just written."""
    sums = [f"crc32c={made['crc32c']}"] if "crc32c" in made else []
    if "md5Hash" in made:
        sums.append(f"md5={made['md5Hash']}")
    return {
        "etag": quoted(made.get("md5Hash"), made["etag"]),
        "x-goog-generation": made["generation"],
        "x-goog-metageneration": made["metageneration"],
        "x-goog-hash": ",".join(sums),
        "x-goog-stored-content-length": made["size"],
        "x-goog-stored-content-encoding": made.get("contentEncoding", "identity"),
    }


def of_object(call: Call, bucket: str, name: str, found: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a download with those only this API has: metadata, and its etag."""
    headers = dict(found)
    depot = depot_of(call.cloud)
    with depot.transaction():
        owner = shelf.find_bucket(depot, bucket)
        number = int(headers["x-goog-generation"])
        entry = shelf.find_entry(depot, owner, name, number) if owner else None
    if entry is None:
        return headers
    for key, value in entry.resource.get("metadata", {}).items():
        if _TOKEN.fullmatch(key):
            headers[f"x-goog-meta-{key}"] = _as_header(value)
    if entry.resource.get("customTime"):
        headers["x-goog-custom-time"] = entry.resource["customTime"]
    headers["etag"] = quoted(entry.resource.get("md5Hash"), headers["etag"])
    if owner is not None:
        until = views.retained_until(owner, entry)
        if until is not None:
            headers["x-goog-retention-expiration"] = views.stamp(until)
    return headers


def _as_header(value: str) -> str:
    """Return a text as headers can carry it; what is not plain ASCII as RFC 2047 writes it."""
    if all(" " <= sign <= "~" for sign in value):
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def quoted(md5: str | None, etag: str) -> str:
    """Return the etag this API gives: the md5 in hexadecimal, where there is one."""
    if md5 is None:
        return f'"{etag}"'
    return f'"{binascii.hexlify(base64.b64decode(md5)).decode()}"'
