"""The header IAP signs for the application: ES256, with keys anybody can fetch from gstatic."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from localcloud.identity import jwt
from localcloud.identity.key_files import kept_key
from localcloud.identity.principals import subject

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.identity.tokens import Tokens

HEADER = "x-goog-iap-jwt-assertion"
ISSUER = "https://cloud.google.com/iap"
_LIFETIME = 600
_BYTES = 32  # of a number of the curve P-256


class Assertions:
    """Signs who was let in (cloud.google.com/iap/docs/signed-headers-howto)."""

    def __init__(self, tokens: Tokens) -> None:
        """Keep the key beside the issuer's."""
        self._tokens = tokens
        self._file = tokens.folder / "iap.key"

    def make(self, email: str, audience: str) -> str:
        """Sign for one request."""
        now = int(self._tokens.now())
        claims: dict[str, Any] = {
            "aud": audience,
            "azp": audience,
            "email": email,
            "exp": now + _LIFETIME,
            "iat": now,
            "iss": ISSUER,
            "sub": f"accounts.google.com:{subject(email)}",
        }
        if not email.endswith(".gserviceaccount.com"):
            claims["hd"] = email.rpartition("@")[2]
        header = {"alg": "ES256", "kid": self.key_id, "typ": "JWT"}
        parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
        text = ".".join(jwt.encode(part) for part in parts)
        made = utils.decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{jwt.encode(b''.join(number.to_bytes(_BYTES, 'big') for number in made))}"

    def jwks(self) -> dict[str, Any]:
        """Give the key as ``public_key-jwk`` publishes it."""
        numbers = self._key.public_key().public_numbers()
        x, y = (jwt.encode(one.to_bytes(_BYTES, "big")) for one in (numbers.x, numbers.y))
        key = {"alg": "ES256", "crv": "P-256", "kid": self.key_id, "kty": "EC", "use": "sig"}
        return {"keys": [key | {"x": x, "y": y}]}

    def pems(self) -> dict[str, str]:
        """Give the key as ``public_key`` publishes it."""
        return {self.key_id: self._public.decode()}

    @cached_property
    def key_id(self) -> str:
        """Names the key in the header."""
        return hashlib.sha256(self._public).hexdigest()[:6]

    @cached_property
    def _public(self) -> bytes:
        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return _private(self._file)


@lru_cache(maxsize=8)
def _private(file: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key; kept in memory, since every request is signed with it."""
    key = kept_key(file, lambda: ec.generate_private_key(ec.SECP256R1()))
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{file} does not hold a key of an elliptic curve")
    return key
