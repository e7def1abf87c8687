"""What buckets and objects may be called, and the tokens made from their numbers."""

import base64
import re
from urllib.parse import quote

from localcloud.errors import ApiError

HOST = "https://storage.googleapis.com"
"""The host of mediaLink: the JSON API's own."""

SELF = "https://www.googleapis.com/storage/v1"
"""The prefix of selfLink: the older host name, which Google still writes there."""

_BUCKET = re.compile(r"[a-z0-9][-a-z0-9_.]{1,220}[a-z0-9]")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_LONGEST_LABEL = 63
_LONGEST_OBJECT = 1024


def check_bucket_name(name: object) -> str:
    """Return *name* if a bucket may be called that; refuse it as the API does otherwise."""
    text = name if isinstance(name, str) else ""
    parts = text.split(".")
    if (
        not _BUCKET.fullmatch(text)
        or _ADDRESS.fullmatch(text)
        or any(not part or len(part) > _LONGEST_LABEL for part in parts)
        or any(part.startswith("-") or part.endswith("-") for part in parts)
    ):
        raise ApiError(400, f"Invalid bucket name: '{text}'", reason="invalid")
    if text.startswith("goog") or "google" in text:
        raise ApiError(400, f"Invalid bucket name: '{text}'", reason="invalid")
    if "." in text:
        message = "The bucket you tried to create requires domain ownership verification."
        raise ApiError(403, message, reason="forbidden")
    return text


def check_object_name(name: object) -> str:
    """Return *name* if an object may be called that; refuse it as the API does otherwise."""
    if not isinstance(name, str) or not name:
        raise ApiError(400, "Required", reason="required")
    size = len(name.encode("utf-8", "surrogatepass"))
    # Half of a pair of surrogates is no character, and nothing that can be written in UTF-8.
    halves = any("\ud800" <= sign <= "\udfff" for sign in name)
    if halves or name in {".", ".."} or "\r" in name or "\n" in name or "\0" in name:
        raise ApiError(400, f"Disallowed unicode characters present in object name '{name}'")
    if name.startswith(".well-known/acme-challenge/") or size > _LONGEST_OBJECT:
        message = "The specified object name is not valid."
        raise ApiError(400, message, reason="invalid")
    return name


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def bucket_etag(metageneration: int) -> str:
    """Return a bucket's etag: its metageneration as the one field of a message, in base64."""
    return base64.b64encode(b"\x08" + _varint(metageneration)).decode()


def object_etag(generation: int, metageneration: int) -> str:
    """Return an object's etag: generation and metageneration as a message, in base64."""
    raw = b"\x08" + _varint(generation) + b"\x10" + _varint(metageneration)
    return base64.b64encode(raw).decode()


def bucket_link(bucket: str) -> str:
    """Return a bucket's selfLink."""
    return f"{SELF}/b/{bucket}"


def object_link(bucket: str, name: str) -> str:
    """Return an object's selfLink, its name escaped down to the slash."""
    return f"{SELF}/b/{bucket}/o/{quote(name, safe='')}"


def media_link(bucket: str, name: str, generation: int) -> str:
    """Return where an object's bytes can be read: the address gcloud downloads from."""
    path = f"{HOST}/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
    return f"{path}?generation={generation}&alt=media"


def resource_name(bucket: str, name: str | None = None) -> str:
    """Return the name under which permissions on a bucket or an object are asked of."""
    full = f"projects/_/buckets/{bucket}"
    return full if name is None else f"{full}/objects/{name}"


def full_name(bucket: str) -> str:
    """Return the name under which a bucket's policy is kept."""
    return f"//storage.googleapis.com/{resource_name(bucket)}"
