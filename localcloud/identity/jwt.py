"""JSON web tokens as Google signs and reads them: RS256 and nothing else."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PARTS = 3


def sign(key: rsa.RSAPrivateKey, payload: bytes) -> bytes:
    """Sign bytes (RSA, PKCS #1 v1.5, SHA-256)."""
    return key.sign(payload, padding.PKCS1v15(), hashes.SHA256())


def signed(claims: Mapping[str, Any], key: rsa.RSAPrivateKey, key_id: str) -> str:
    """Write a token."""
    header = {"alg": "RS256", "kid": key_id, "typ": "JWT"}
    text = ".".join(
        encode(json.dumps(dict(part), separators=(",", ":")).encode()) for part in (header, claims)
    )
    return f"{text}.{encode(sign(key, text.encode()))}"


def unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Give header and claims of what looks like a token, whoever signed it."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        header, claims = (json.loads(decode(part)) for part in parts[:2])
    except ValueError:
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    return header, claims


def verified(token: str, find: Callable[[str], rsa.RSAPublicKey | None]) -> dict[str, Any] | None:
    """Give the claims of a token whose signature is good; ``find`` gives the key of a key id."""
    opened = unverified(token)
    if opened is None or opened[0].get("alg") != "RS256":
        return None
    key = find(str(opened[0].get("kid", "")))
    if key is None:
        return None
    text, _, signature = token.rpartition(".")
    try:
        key.verify(decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return None
    return opened[1]


def public_key(key: rsa.RSAPublicKey, key_id: str) -> dict[str, str]:
    """Give a key as a JSON web key."""
    numbers = key.public_numbers()
    return {
        "kty": "RSA",
        "alg": "RS256",
        "use": "sig",
        "kid": key_id,
        "n": encode(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": encode(numbers.e.to_bytes(3, "big")),
    }


def encode(data: bytes) -> str:
    """Write bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text: str) -> bytes:
    """Read base64url without padding; ValueError if it is none."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
