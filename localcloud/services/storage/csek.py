"""Customer-supplied encryption keys: demanded again for every look at the bytes.

The bytes themselves lie on this machine as they came; what is kept of the key is its digest.
See cloud.google.com/storage/docs/encryption/customer-supplied-keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.services.storage.shelf import Entry, Resource

TARGET = "x-goog-encryption-"
SOURCE = "x-goog-copy-source-encryption-"

_KEY_BYTES = 32


def read(headers: Mapping[str, str], prefix: str = TARGET) -> str | None:
    """Return the digest of the key that headers carry, or None; 400 if they are not in order."""
    sent = {
        part: headers[prefix + part]
        for part in ("algorithm", "key", "key-sha256")
        if prefix + part in headers
    }
    if not sent:
        return None
    if len(sent) < len(("algorithm", "key", "key-sha256")):
        message = "Missing an encryption key, or its SHA256 hash, or the encryption algorithm."
        raise ApiError(400, message, reason="invalid")
    if sent["algorithm"] != "AES256":
        message = f"The encryption algorithm '{sent['algorithm']}' is not supported."
        raise ApiError(400, message, reason="customerEncryptionAlgorithmIsInvalid")
    try:
        key = base64.b64decode(sent["key"], validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        message = "The provided encryption key format is invalid."
        raise ApiError(400, message, reason="customerEncryptionKeyFormatIsInvalid")
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    if digest != sent["key-sha256"]:
        message = "The SHA256 hash of the provided encryption key does not match it."
        raise ApiError(400, message, reason="customerEncryptionKeySha256IsInvalid")
    return digest


def metadata(digest: str | None) -> Resource:
    """Return what an object remembers of the key it was written with."""
    if digest is None:
        return {}
    return {"customerEncryption": {"encryptionAlgorithm": "AES256", "keySha256": digest}}


def unlocks(entry: Entry, digest: str | None) -> bool:
    """Say whether a key is that of an object; no key is the key of one that has none."""
    return bool(entry.resource.get("customerEncryption", {}).get("keySha256") == digest)


def check(entry: Entry, digest: str | None) -> None:
    """Refuse a look at the bytes of an object without its key, or with another."""
    if unlocks(entry, digest):
        return
    if "customerEncryption" not in entry.resource:
        message = "The target object is not encrypted by a customer-supplied encryption key."
        raise ApiError(400, message, reason="resourceNotEncryptedWithCustomerEncryptionKey")
    if digest is None:
        message = "The target object is encrypted by a customer-supplied encryption key."
        raise ApiError(400, message, reason="resourceIsEncryptedWithCustomerEncryptionKey")
    message = "The provided encryption key is incorrect."
    raise ApiError(400, message, reason="customerEncryptionKeyIsIncorrect")
