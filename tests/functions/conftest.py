"""Keys of our own in place of Google's, so that tokens of every kind can be made."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from functions import certificates

CERTIFICATES = "https://www.googleapis.com/oauth2/v1/certs"


@dataclass(frozen=True)
class Issuer:
    """Signs ID tokens with one key."""

    signer: crypt.RSASigner
    certificate: str

    def token(self, **changes: Any) -> str:
        """Make a token of ana's that is right in everything but the changes (None: left out)."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": "https://api.example",
            "email": "ana@example.com",
            "email_verified": True,
            "iat": now - 5,
            "exp": now + 3600,
            **changes,
        }
        known = {key: value for key, value in claims.items() if value is not None}
        return jwt.encode(self.signer, known).decode()


def make_issuer(key_id: str) -> Issuer:
    """Make a key, and a certificate for it as Google publishes them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return Issuer(
        crypt.RSASigner(key, key_id), certificate.public_bytes(serialization.Encoding.PEM).decode()
    )


@pytest.fixture(scope="session")
def google() -> Issuer:
    """The issuer whose certificate is published."""
    return make_issuer("key-1")


@pytest.fixture(scope="session")
def forger() -> Issuer:
    """An issuer who claims Google's key id, with a key of his own."""
    return make_issuer("key-1")


@pytest.fixture
def published(google: Issuer) -> Iterator[None]:
    """Google's certificates as if they had just been fetched."""
    certificates.keep(
        CERTIFICATES, json.dumps({"key-1": google.certificate}).encode(), seconds=3600
    )
    yield
    certificates.forget()
