"""ID tokens, verified against the issuer's published keys, with nothing but arithmetic."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
import urllib.request
from typing import Any

_TIMEOUT = 30
# How a SHA-256 digest begins inside a signature (RFC 8017, 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_PARTS = 3


class InvalidTokenError(Exception):
    """The token is not to be believed."""


class Issuer:
    """What an OpenID issuer publishes: its endpoints and keys, fetched when they are first needed."""

    def __init__(self, url: str) -> None:
        """Ask nothing yet."""
        self.url = url.rstrip("/")
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {}
        self._keys: dict[str, dict[str, str]] = {}

    def endpoint(self, name: str) -> str:
        """Give an endpoint, such as ``token_endpoint``."""
        with self._lock:
            if not self._found:
                self._found = fetch(f"{self.url}/.well-known/openid-configuration")
        return str(self._found[name])

    def claims(self, token: str) -> dict[str, Any]:
        """Give the claims of a token this issuer signed and that is in date; whoever it is for."""
        parts = token.split(".")
        if len(parts) != _PARTS:
            raise InvalidTokenError("malformed jwt")
        try:
            header, claims = (json.loads(decoded(part)) for part in parts[:2])
            signature = decoded(parts[2])
        except ValueError as error:
            raise InvalidTokenError("malformed jwt") from error
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise InvalidTokenError("malformed jwt")
        if claims.get("iss") not in {self.url, self.url.removeprefix("https://")}:
            raise InvalidTokenError("id token issued by a different provider")
        key = self._key(str(header.get("kid", "")))
        signed = f"{parts[0]}.{parts[1]}".encode()
        if header.get("alg") != "RS256" or key is None or not _good(key, signed, signature):
            raise InvalidTokenError("failed to verify signature")
        end = claims.get("exp")
        if not isinstance(end, int | float) or end < time.time():
            raise InvalidTokenError("token is expired")
        return claims

    def _key(self, name: str) -> dict[str, str] | None:
        address = self.endpoint("jwks_uri")
        with self._lock:
            if name not in self._keys:
                self._keys = {one["kid"]: one for one in fetch(address)["keys"]}
            return self._keys.get(name)


def audiences(claims: dict[str, Any]) -> set[str]:
    """Give whom a token is for."""
    found = claims.get("aud", [])
    return {str(one) for one in (found if isinstance(found, list) else [found])}


def fetch(url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
    """Fetch JSON, with a form where one is sent; OSError if there is none."""
    data = None if form is None else urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(url, data, timeout=_TIMEOUT) as answer:  # noqa: S310 - configured
        found: dict[str, Any] = json.load(answer)
    return found


def decoded(text: str) -> bytes:
    """Read base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    """Write base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _good(key: dict[str, str], signed: bytes, signature: bytes) -> bool:
    """Tell whether an RSA signature (PKCS #1 v1.5, SHA-256) is the key's."""
    modulus, exponent = (int.from_bytes(decoded(key[part]), "big") for part in ("n", "e"))
    size = (modulus.bit_length() + 7) // 8
    opened = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(size, "big")
    digest = _SHA256 + hashlib.sha256(signed).digest()
    wanted = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return len(signature) == size and hmac.compare_digest(opened, wanted)
