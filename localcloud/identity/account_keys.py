"""The keys of service accounts: each signs with its own, as each does on Google Cloud.

Google's own keys of an account are replaced from time to time and stay published for a while
(cloud.google.com/iam/docs/best-practices-for-managing-service-account-keys).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.identity import jwt

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.clock import Clock
    from localcloud.store import Collection, Resource

SYSTEM, USER = "SYSTEM_MANAGED", "USER_MANAGED"
_ROTATED_AFTER = 7 * 86400
_PUBLISHED_FOR = 16 * 86400
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class AccountKeys:
    """Makes, keeps and publishes keys; ``owner`` gives an account's unique id, None without one."""

    def __init__(
        self, kept: Collection, clock: Clock, *, owner: Callable[[str], str | None]
    ) -> None:
        """Keep keys in ``kept``."""
        self._kept = kept
        self._clock = clock
        self._owner = owner

    def of(self, email: str) -> list[Resource]:
        """Give an account's keys, oldest first: those of an account of that name before are none."""
        owner, now = self._owner(email), self._clock.now()
        return [
            key
            for key in self._kept.children(f"{email}/")
            if key["owner"] == owner and key["until"] > now
        ]

    def find(self, email: str, key_id: str) -> Resource | None:
        """Give one key."""
        return next((key for key in self.of(email) if key["id"] == key_id), None)

    def make(self, email: str, *, kind: str, bits: int = 2048) -> tuple[Resource, str]:
        """Make a key; gives it and its private half, which is kept only of a system's key."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        now = self._clock.now()
        until = now + _PUBLISHED_FOR if kind == SYSTEM else _FOR_EVER.timestamp()
        key = {
            "id": secrets.token_hex(20),
            "kind": kind,
            "origin": "GOOGLE_PROVIDED",
            "bits": bits,
            "certificate": _certificate(private, self._owner(email) or email, now, until),
            "since": now,
            "until": until,
        }
        if kind == SYSTEM:
            key["private"] = pem
        return self._keep(email, key), pem

    def upload(self, email: str, certificate: bytes) -> Resource:
        """Take a certificate whose private half somebody else has; ValueError if it is none."""
        read = x509.load_pem_x509_certificate(certificate)
        public = read.public_key()
        if not isinstance(public, rsa.RSAPublicKey):
            raise ValueError("not an RSA key")  # noqa: TRY004 - of what was sent, not of a type
        key = {
            "id": hashlib.sha1(certificate, usedforsecurity=False).hexdigest(),
            "kind": USER,
            "origin": "USER_PROVIDED",
            "bits": public.key_size,
            "certificate": certificate.decode(),
            "since": read.not_valid_before_utc.timestamp(),
            "until": read.not_valid_after_utc.timestamp(),
        }
        return self._keep(email, key)

    def switch(self, email: str, key: Resource, *, disabled: bool) -> None:
        """Disable a key or enable it again."""
        self._kept.put(f"{email}/{key['id']}", {**key, "disabled": disabled})

    def delete(self, email: str, key: Resource) -> None:
        """Forget a key; what it signed is worthless from now on."""
        self._kept.delete(f"{email}/{key['id']}")

    def sign(self, email: str, payload: bytes) -> tuple[str, bytes]:
        """Sign bytes as an account; gives the key's id too."""
        key_id, private = self._signing(email)
        return key_id, jwt.sign(private, payload)

    def sign_jwt(self, email: str, claims: dict[str, Any]) -> tuple[str, str]:
        """Sign claims as an account; gives the key's id too."""
        key_id, private = self._signing(email)
        return key_id, jwt.signed(claims, private, key_id)

    def verified(self, email: str, token: str) -> dict[str, Any] | None:
        """Give the claims of a token that one of an account's working keys signed."""

        def public(key_id: str) -> rsa.RSAPublicKey | None:
            key = self.find(email, key_id)
            return None if key is None or key.get("disabled") else _public(key["certificate"])

        return jwt.verified(token, public)

    def certificates(self, email: str) -> dict[str, str]:
        """Give the account's certificates by key id, as ``metadata/x509`` publishes them."""
        return {key["id"]: key["certificate"] for key in self._published(email)}

    def jwks(self, email: str) -> dict[str, Any]:
        """Give the account's public keys, as ``jwk`` publishes them."""
        found = [
            jwt.public_key(_public(key["certificate"]), key["id"]) for key in self._published(email)
        ]
        return {"keys": found}

    def _published(self, email: str) -> list[Resource]:
        self._signing(email)
        return [key for key in self.of(email) if not key.get("disabled")]

    def _signing(self, email: str) -> tuple[str, rsa.RSAPrivateKey]:
        with self._kept.lock():
            own = [key for key in self.of(email) if key["kind"] == SYSTEM]
            if own and own[-1]["since"] + _ROTATED_AFTER > self._clock.now():
                key = own[-1]
            else:
                key, _ = self.make(email, kind=SYSTEM)
        return key["id"], _private(key["private"])

    def _keep(self, email: str, key: Resource) -> Resource:
        return self._kept.put(f"{email}/{key['id']}", {**key, "owner": self._owner(email)})


def _certificate(private: rsa.RSAPrivateKey, name: str, since: float, until: float) -> str:
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(since, UTC) - timedelta(minutes=5))
        .not_valid_after(datetime.fromtimestamp(until, UTC))
        .sign(private, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


@lru_cache(maxsize=64)
def _public(certificate: str) -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("only RSA keys are kept")
    return key


@lru_cache(maxsize=64)
def _private(pem: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("only RSA keys are kept")
    return key
