"""Who is calling: access tokens for APIs, ID tokens for services, and the keys behind both."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from localcloud.errors import ApiError, error_info

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from localcloud.clock import Clock

ISSUER = "https://accounts.google.com"
GCLOUD_CLIENT = "32555940559.apps.googleusercontent.com"
"""The audience of ``gcloud auth print-identity-token``."""

_MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_INVALID = _MISSING.replace(
    "Request is missing required authentication credential.",
    "Request had invalid authentication credentials.",
)


@dataclass(frozen=True)
class Principal:
    """An identity: a person, a service account, or nobody (``email`` empty)."""

    email: str

    @property
    def anonymous(self) -> bool:
        """Tell whether there was no token."""
        return not self.email

    @property
    def member(self) -> str:
        """The identity as policies write it."""
        if not self.email:
            return "allUsers"
        kind = "serviceAccount" if self.email.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{self.email}"


ANONYMOUS = Principal("")


class Tokens:
    """Mints and checks tokens; the keys live in the state folder, so tokens survive a restart."""

    def __init__(
        self, folder: Path, clock: Clock, *, usable: Callable[[str], bool] = lambda _: True
    ) -> None:
        """Keep keys in ``folder``; ``usable`` tells whether an account still exists."""
        self._folder = folder
        self._clock = clock
        self._usable = usable

    def access_token(self, email: str, *, lifetime: int = 3600) -> str:
        """Mint an access token for the APIs."""
        claims = {"e": email, "x": int(self._clock.now()) + lifetime, "n": secrets.token_hex(4)}
        payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"ya29.l.{payload}.{self._seal(payload)}"

    def id_token(self, email: str, audience: str, *, lifetime: int = 3600) -> str:
        """Mint an ID token, as Google's issuer would sign it."""
        now = int(self._clock.now())
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "azp": GCLOUD_CLIENT if audience == GCLOUD_CLIENT else subject(email),
            "sub": subject(email),
            "email": email,
            "email_verified": True,
            "iat": now,
            "exp": now + lifetime,
        }
        return self.sign_jwt(claims)

    def sign_jwt(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims with the issuer's key."""
        header = {"alg": "RS256", "kid": self.key_id, "typ": "JWT"}
        head = _encode(json.dumps(header, separators=(",", ":")).encode())
        body = _encode(json.dumps(dict(claims), separators=(",", ":")).encode())
        return f"{head}.{body}.{_encode(self.sign(f'{head}.{body}'.encode()))}"

    def sign(self, payload: bytes) -> bytes:
        """Sign bytes with the issuer's key (RSA, SHA-256)."""
        return self._key.sign(payload, padding.PKCS1v15(), hashes.SHA256())

    def identify(self, headers: Mapping[str, str]) -> Principal:
        """Say whose access token the headers carry; nobody's if there is none, 401 if it is bad."""
        token = bearer(headers)
        if token is None:
            return ANONYMOUS
        parts = token.split(".")
        if not token.startswith("ya29.l.") or len(parts) != 4:  # noqa: PLR2004 - as minted above
            raise unauthenticated()
        if not hmac.compare_digest(parts[3], self._seal(parts[2])):
            raise unauthenticated()
        claims = json.loads(_decode(parts[2]))
        if claims["x"] < self._clock.now() or not self._usable(claims["e"]):
            raise unauthenticated()
        return Principal(claims["e"])

    def verify_id_token(self, token: str) -> dict[str, Any] | None:
        """Give the claims of an ID token if we signed it and it is in date, else None."""
        parts = token.split(".")
        if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
            return None
        try:
            signature = _decode(parts[2])
            signed = f"{parts[0]}.{parts[1]}".encode()
            public = self._key.public_key()
            public.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
            claims: dict[str, Any] = json.loads(_decode(parts[1]))
        except (InvalidSignature, ValueError):
            return None
        now = self._clock.now()
        # Google's verifiers allow this much difference between clocks
        skew = 10
        if claims.get("exp", 0) + skew < now or claims.get("iat", 0) - skew > now:
            return None
        return claims

    @cached_property
    def key_id(self) -> str:
        """Names the signing key in JWT headers and in the published certificates."""
        return hashlib.sha1(self.certificate, usedforsecurity=False).hexdigest()

    @cached_property
    def certificate(self) -> bytes:
        """The issuer's certificate as PEM, as ``oauth2/v1/certs`` publishes it."""
        file = self._folder / "issuer.crt"
        if not file.exists():
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon")])
            start = datetime.now(UTC) - timedelta(days=3650)
            built = (
                x509.CertificateBuilder()
                .subject_name(name)
                .issuer_name(name)
                .public_key(self._key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(start)
                .not_valid_after(start + timedelta(days=14600))
                .sign(self._key, hashes.SHA256())
            )
            file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
        return file.read_bytes()

    def jwks(self) -> dict[str, Any]:
        """Give the public key as ``oauth2/v3/certs`` publishes it."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": self.key_id,
            "n": _encode(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
            "e": _encode(numbers.e.to_bytes(3, "big")),
        }
        return {"keys": [key]}

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        file = self._folder / "issuer.key"
        if not file.exists():
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            _write_private(file, pem)
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{file} does not hold an RSA key")
        return key

    @cached_property
    def _secret(self) -> bytes:
        file = self._folder / "access.key"
        if not file.exists():
            _write_private(file, secrets.token_bytes(32))
        return file.read_bytes()

    def _seal(self, payload: str) -> str:
        return _encode(hmac.new(self._secret, payload.encode(), hashlib.sha256).digest())


def bearer(headers: Mapping[str, str]) -> str | None:
    """Give the bearer token of lower-case headers, or None."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def subject(email: str) -> str:
    """Give the stable numeric id Google would have for an account."""
    number = int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big")
    return f"1{number % 10**20:020d}"


def unauthenticated(*, missing: bool = False) -> ApiError:
    """401 in Google's words, for a missing or an unusable token."""
    reason = "CREDENTIALS_MISSING" if missing else "ACCESS_TOKEN_INVALID"
    return ApiError(
        401,
        _MISSING if missing else _INVALID,
        details=[error_info(reason)],
        headers={"www-authenticate": 'Bearer realm="https://accounts.google.com/"'},
    )


def _write_private(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(data)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
