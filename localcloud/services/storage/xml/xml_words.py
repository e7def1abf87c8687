"""The XML API's documents: errors, lists, results, and what a client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from localcloud.errors import ApiError
from localcloud.service import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
KIND = "application/xml; charset=UTF-8"

_CODES: dict[tuple[int, str], tuple[str, str]] = {
    (400, "required"): ("MissingSecurityElement", "A required element is missing."),
    (400, "conditionNotMet"): ("PreconditionFailed", ""),
    (400, "resourceIsEncryptedWithCustomerEncryptionKey"): (
        "ResourceIsEncryptedWithCustomerEncryptionKey",
        "",
    ),
    (400, "customerEncryptionKeyIsIncorrect"): ("CustomerEncryptionKeyIsIncorrect", ""),
    (404, "bucket"): ("NoSuchBucket", "The specified bucket does not exist."),
    (404, "object"): ("NoSuchKey", "The specified key does not exist."),
    (404, "upload"): ("NoSuchUpload", "The requested upload was not found."),
    (409, "conflict"): ("BucketAlreadyOwnedByYou", ""),
}
_BY_STATUS: dict[int, tuple[str, str]] = {
    400: ("InvalidArgument", "Invalid argument."),
    401: ("AccessDenied", "Access denied."),
    403: ("AccessDenied", "Access denied."),
    404: ("NoSuchKey", "The specified key does not exist."),
    405: ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    409: ("Conflict", ""),
    410: ("Gone", ""),
    412: ("PreconditionFailed", ""),
    416: ("InvalidRange", "The requested range cannot be satisfied."),
    429: ("SlowDown", "Please reduce your request rate."),
    500: ("InternalError", "We encountered an internal error. Please try again."),
    501: (
        "NotImplemented",
        "A header or query you provided requested a function that is not implemented.",
    ),
    503: ("ServiceUnavailable", "Service unavailable. Please retry."),
}


def error(code: int, reason: str, message: str, more: Mapping[str, str] | None = None) -> Reply:
    """Write an error; a reason in capitals is the XML API's own, others are translated."""
    if reason[:1].isupper():
        name, text = reason, message
    else:
        kind = reason
        if code == 404:  # noqa: PLR2004 - HTTP
            kind = "bucket" if "bucket does not exist" in message else "object"
            kind = "upload" if "upload" in message.lower() else kind
        if "not empty" in message:
            name, text = "BucketNotEmpty", message
        elif "doesn't match calculated" in message:
            name, text = (
                "BadDigest",
                "The CRC32C or MD5 you specified did not match what was received.",
            )
        else:
            name, text = _CODES.get((code, kind)) or _BY_STATUS.get(code, ("UnknownError", ""))
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = name
    ET.SubElement(root, "Message").text = text or message
    details = dict(more or {})
    if text and text != message:
        details.setdefault("Details", message)
    for key, value in details.items():
        ET.SubElement(root, key).text = value
    # Whoever is nobody is refused here with 403, where the JSON API says 401.
    status = 403 if code == 401 else code  # noqa: PLR2004 - HTTP
    return Reply(status, written(root), {"content-type": KIND})


def of_api_error(found: ApiError) -> Reply:
    """Write an error that a handler raised."""
    more = {
        key: str(value)
        for detail in found.details
        for key, value in detail.items()
        if key[:1].isupper()
    }
    reply = error(found.code, found.reason or "", found.message, more)
    return Reply(reply.status, reply.body, {**found.headers, **reply.headers})


def document(name: str, fields: Iterable[tuple[str, Any]]) -> Reply:
    """Write a result: pairs of a name and a text, or a list of further pairs."""
    root = ET.Element(name, xmlns=NAMESPACE)
    _fill(root, fields)
    return Reply(200, written(root), {"content-type": KIND})


def _fill(parent: ET.Element, fields: Iterable[tuple[str, Any]]) -> None:
    for name, value in fields:
        child = ET.SubElement(parent, name)
        if isinstance(value, list | tuple):
            _fill(child, value)
        else:
            child.text = str(value)


def written(root: ET.Element) -> bytes:
    """Give a document's bytes."""
    return b"<?xml version='1.0' encoding='UTF-8'?>" + ET.tostring(root)


def read(raw: bytes) -> ET.Element:
    """Read a document a client sent; 400 if it is none."""
    try:
        # expat has refused exploding entities since 2.4.1, and fetches nothing from outside.
        return ET.fromstring(raw)  # noqa: S314
    except ET.ParseError:
        message = "The XML you provided was not well-formed or did not validate."
        raise ApiError(400, message, reason="MalformedXML") from None


def texts(root: ET.Element, path: str) -> list[dict[str, str]]:
    """Give the children of every element of a name, by their names without the namespace."""
    return [
        {_bare(child.tag): (child.text or "").strip() for child in element}
        for element in root
        if _bare(element.tag) == path
    ]


def text(root: ET.Element, name: str) -> str | None:
    """Give the text of a child, or None."""
    return next((child.text for child in root if _bare(child.tag) == name), None)


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]
