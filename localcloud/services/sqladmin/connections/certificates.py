"""The certificates of one Cloud SQL instance: its server's, and those its clients show.

As on Cloud SQL, every instance has an authority of its own for either side. Keys are on the P-256
curve: making them takes no time. An access token that came with the public key goes into the
client's certificate, where the gateway finds it at login.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localcloud.services.sqladmin.names import ROOT, invalid_request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from localcloud.cloud import Cloud
    from localcloud.service import Resource
    from localcloud.store import Collection

LOGIN_TOKEN = x509.ObjectIdentifier("1.3.6.1.4.1.55555.1.1")
"""The extension with the access token; which one Google uses is not public."""
YEARS = timedelta(days=3650)
HOUR = timedelta(hours=1)
SKEW = timedelta(minutes=5)
"""How far a certificate begins in the past, for clocks that are behind."""


class Certificates:
    """The authorities of one instance, kept in the state folder."""

    def __init__(self, cloud: Cloud, key: str) -> None:
        """Take those of the instance with this resource name, making them at first."""
        self._cloud = cloud
        self.key = key
        with cloud.store.lock():
            found = _kept(cloud).find(key)
            if found is None:
                found = _kept(cloud).put(key, self._made())
        self._parts = found

    def forget(self) -> None:
        """Remove them with their instance."""
        with self._cloud.store.lock():
            if _kept(self._cloud).find(self.key) is not None:
                _kept(self._cloud).delete(self.key)

    @property
    def server_ca(self) -> Resource:
        """The server's authority as an ``SslCert``."""
        return self.described(self._loaded("server_ca"))

    def context(self) -> ssl.SSLContext:
        """Give the TLS settings of the instance: clients must show a certificate made here."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self._parts["client_ca"])
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            # ssl reads files only; this one is private to us and gone at once
            file.write(self._parts["server_key"] + self._parts["server"])
            file.flush()
            context.load_cert_chain(Path(file.name))
        return context

    def sign(
        self,
        public: CertificatePublicKeyTypes,
        name: str,
        *,
        lasts: timedelta = HOUR,
        token: str | None = None,
    ) -> x509.Certificate:
        """Make a client's certificate."""
        builder = _started(name, self._now(), lasts).public_key(public)
        issuer = self._loaded("client_ca")
        builder = builder.issuer_name(issuer.subject).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if token is not None:
            held = x509.UnrecognizedExtension(LOGIN_TOKEN, token.encode())
            builder = builder.add_extension(held, critical=False)
        return builder.sign(_key(self._parts["client_ca_key"]), hashes.SHA256())

    def described(self, certificate: x509.Certificate, name: str | None = None) -> Resource:
        """Describe a certificate as the API does."""
        fingerprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - its name, no proof
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return {
            "kind": "sql#sslCert",
            "certSerialNumber": str(certificate.serial_number),
            "cert": _pem(certificate),
            "createTime": _timestamp(certificate.not_valid_before_utc),
            "expirationTime": _timestamp(certificate.not_valid_after_utc),
            "commonName": name if name is not None else str(common),
            "sha1Fingerprint": fingerprint,
            "instance": self.key.rpartition("/")[2],
            "selfLink": f"{ROOT}/{self.key}/sslCerts/{fingerprint}",
        }

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._cloud.clock.now(), UTC)

    def _loaded(self, part: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._parts[part].encode())

    def _made(self) -> Resource:
        now = self._now()
        _, project, _, instance = self.key.split("/")
        parts: Resource = {}
        for side in ("server_ca", "client_ca"):
            key = ec.generate_private_key(ec.SECP256R1())
            name = f"Google Cloud SQL {side.partition('_')[0].title()} CA"
            builder = _started(name, now, YEARS).public_key(key.public_key())
            builder = builder.issuer_name(_name(name)).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            parts[side] = _pem(builder.sign(key, hashes.SHA256()))
            parts[f"{side}_key"] = private_pem(key)
        own = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(parts["server_ca"].encode()).subject
        # clients look for PROJECT:INSTANCE in the common name
        builder = _started(f"{project}:{instance}", now, YEARS).public_key(own.public_key())
        signed = builder.issuer_name(issuer).sign(_key(parts["server_ca_key"]), hashes.SHA256())
        return {**parts, "server": _pem(signed), "server_key": private_pem(own)}


def login_token(certificate: bytes) -> str | None:
    """Return the access token in a client's certificate (DER), if one is there."""
    extensions = x509.load_der_x509_certificate(certificate).extensions
    found = [one.value for one in extensions if one.oid == LOGIN_TOKEN]
    if not found or not isinstance(found[0], x509.UnrecognizedExtension):
        return None
    return found[0].value.decode()


def revoked(cloud: Cloud, key: str, certificate: bytes) -> bool:
    """Tell whether a client's certificate (DER) is one that was kept and is no more."""
    found = x509.load_der_x509_certificate(certificate)
    if found.not_valid_after_utc - found.not_valid_before_utc <= HOUR + SKEW:
        return False
    place = f"{key}/sslCerts/{found.fingerprint(hashes.SHA1()).hex()}"  # noqa: S303 - its name
    return cloud.store.of("sqladmin").find(place) is None


def public_key(pem: str) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """Read a client's public key; older clients call it an RSA PUBLIC KEY whatever is inside."""
    text = pem.replace(" RSA PUBLIC KEY", " PUBLIC KEY")
    for candidate in (text, pem):
        try:
            found = serialization.load_pem_public_key(candidate.encode())
        except ValueError:
            continue
        if isinstance(found, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            return found
    raise invalid_request("Invalid public key: it must be a PEM encoded RSA or EC key.")


def private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    """Write a private key as PEM."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    bare = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, bare).decode()


def _kept(cloud: Cloud) -> Collection:
    return cloud.store.of("sqladmin.keys")


def _started(name: str, now: datetime, lasts: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + lasts)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Google, Inc"),
            # X.509 allows 64 characters
            x509.NameAttribute(NameOID.COMMON_NAME, common[:64]),
        ]
    )


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is on no curve")
    return found


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
