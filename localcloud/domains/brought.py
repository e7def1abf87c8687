"""Certificates that somebody brings: what they are good for, and whether the key belongs to them."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


class UnreadableError(ValueError):
    """The certificate or its key cannot be used; ``reason`` is Google's word for it."""

    def __init__(self, message: str, reason: str) -> None:
        """Say what is wrong, and in a word."""
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Brought:
    """What a certificate says."""

    domains: list[str]
    expires: str


def read(certificate: str, key: str) -> Brought:
    """Read a chain and its key, both PEM; UnreadableError if they are none or do not match."""
    try:
        chain = x509.load_pem_x509_certificates(certificate.encode())
    except ValueError:
        raise UnreadableError(
            "The SSL certificate could not be parsed.", "sslCertificateCouldNotParseCert"
        ) from None
    try:
        secret = load_pem_private_key(key.encode(), password=None)
    except (TypeError, ValueError):
        raise UnreadableError(
            "The private key could not be parsed.", "sslCertificateCouldNotParseKey"
        ) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if secret.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise UnreadableError(
            "The SSL certificate and its private key do not match.",
            "sslCertificateKeyMismatch",
        )
    return Brought(_domains(chain[0]), chain[0].not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _domains(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return list(found.value.get_values_for_type(x509.DNSName))
