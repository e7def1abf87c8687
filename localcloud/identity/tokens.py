"""Who is calling: access tokens for APIs, ID tokens for services, and the keys behind both."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from localcloud.identity import jwt
from localcloud.identity.key_files import kept_key, write_private
from localcloud.identity.principals import (
    ANONYMOUS,
    SCOPES,
    Principal,
    bearer,
    subject,
    unauthenticated,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from localcloud.clock import Clock
    from localcloud.identity.account_keys import AccountKeys
    from localcloud.store import Collection as Kept

ISSUER = "https://accounts.google.com"
GCLOUD_CLIENT = "32555940559.apps.googleusercontent.com"
"""The audience of ``gcloud auth print-identity-token``."""

MANAGED_CLIENT = "100000000001-iap-managed.apps.googleusercontent.com"
"""The OAuth client Google keeps for IAP; only people of the organisation can sign in with it."""

MOST_JWT_LIFETIME = 3600
"""How long a token that an account signed for itself may be good, in seconds."""

_SKEW = 10
"""How much clocks may differ; Google's verifiers allow as much."""


class Tokens:
    """Mints and checks tokens; the keys live in the state folder, so tokens survive a restart."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        usable: Callable[[str], bool] = lambda _: True,
        accounts: AccountKeys | None = None,
        revoked: Kept | None = None,
    ) -> None:
        """Keep the issuer's keys in ``folder``.

        Args:
            folder: where the keys are.
            clock: by which tokens expire.
            usable: tells whether an account still exists.
            accounts: the keys with which accounts sign tokens for themselves.
            revoked: remembers what was revoked.
        """
        self._folder = folder
        self._clock = clock
        self._usable = usable
        self._accounts = accounts
        self._revoked = revoked

    @property
    def accounts(self) -> AccountKeys:
        """The keys of service accounts."""
        if self._accounts is None:
            raise LookupError("only a running cloud keeps the keys of service accounts")
        return self._accounts

    @property
    def folder(self) -> Path:
        """Where the keys are."""
        return self._folder

    def now(self) -> float:
        """The present moment, by which tokens expire."""
        return self._clock.now()

    def usable(self, email: str) -> bool:
        """Tell whether an account still exists and is not disabled."""
        return self._usable(email)

    def access_token(
        self, email: str, *, lifetime: int = 3600, scopes: Sequence[str] = SCOPES
    ) -> str:
        """Mint an access token for the APIs."""
        claims: dict[str, Any] = {"e": email, "x": int(self._clock.now()) + lifetime}
        if tuple(scopes) != SCOPES:
            claims["s"] = list(scopes)
        return self.minted("ya29.l.", claims)

    def refresh_token(self, email: str) -> str:
        """Mint a refresh token, as an ``authorized_user`` file holds it; it does not expire."""
        return self.minted("1//l.", {"e": email})

    def refreshed(self, token: str) -> str | None:
        """Give whose refresh token this is, None if it is not one or was revoked."""
        claims = self.opened("1//l.", token)
        return None if claims is None else str(claims["e"])

    def revoke(self, token: str) -> bool:
        """Make a token worthless; False if it was no good."""
        return any(self.redeem(prefix, token) is not None for prefix in ("ya29.l.", "1//l."))

    def redeem(self, prefix: str, token: str) -> dict[str, Any] | None:
        """Give what was sealed under a prefix, for the last time; None if that time is over."""
        if self._revoked is None:
            return None
        with self._revoked.lock():
            known = self.opened(prefix, token)
            if known is not None:
                self._revoked.put(_fingerprint(token), {})
            return known

    def id_token(
        self,
        email: str,
        audience: str,
        *,
        lifetime: int = 3600,
        more: Mapping[str, Any] | None = None,
    ) -> str:
        """Mint an ID token, as Google's issuer would sign it; ``more`` are further claims."""
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
            **(more or {}),
        }
        return self.sign_jwt(claims)

    def sign_jwt(self, claims: Mapping[str, Any]) -> str:
        """Sign any claims with the issuer's key."""
        return jwt.signed(claims, self._key, self.key_id)

    def sign(self, payload: bytes) -> bytes:
        """Sign bytes with the issuer's key (RSA, SHA-256)."""
        return jwt.sign(self._key, payload)

    def identify(self, headers: Mapping[str, str], *, audience: str | None = None) -> Principal:
        """Say whose access token the headers carry; nobody's if there is none, 401 if it is bad.

        ``audience`` is the API's URL, for which an account may have signed a token for itself.
        """
        token = bearer(headers)
        if token is None:
            return ANONYMOUS
        claims = self.claims(token)
        if claims is not None:
            return Principal(claims["e"], tuple(claims.get("s", SCOPES)))
        own = self._self_signed(token, audience)
        if own is None:
            raise unauthenticated(self._fault(token))
        return own

    def _fault(self, token: str) -> str:
        """Say what is wrong with an access token, as google.api.ErrorReason names it."""
        claims = self.opened("ya29.l.", token)
        if claims is None:
            return "ACCESS_TOKEN_TYPE_UNSUPPORTED"
        expired = claims["x"] < self._clock.now()
        return "ACCESS_TOKEN_EXPIRED" if expired else "ACCOUNT_STATE_INVALID"

    def claims(self, token: str) -> dict[str, Any] | None:
        """Give what an access token that is good says: ``e``-mail, e``x``piry, ``s``copes."""
        claims = self.opened("ya29.l.", token)
        if claims is None or claims["x"] < self._clock.now() or not self._usable(claims["e"]):
            return None
        return claims

    def lifetime(self, claims: Mapping[str, Any]) -> int:
        """Say how many seconds an access token is still good for."""
        return int(claims["x"] - self._clock.now())

    def _self_signed(self, token: str, audience: str | None) -> Principal | None:
        """Take a token an account signed itself (developers.google.com/identity/protocols/oauth2).

        It names the API or scopes, and the account both as who issued it and whom it is about.
        """
        opened = jwt.unverified(token)
        if opened is None or self._accounts is None:
            return None
        email = str(opened[1].get("iss", ""))
        claims = self._accounts.verified(email, token) if self._usable(email) else None
        if claims is None or claims.get("sub") != email or not self.fresh(claims):
            return None
        scopes = str(claims.get("scope", "")).split()
        meant = str(claims.get("aud", "")).rstrip("/")
        if not scopes and meant != (audience or "").rstrip("/"):
            return None
        return Principal(email, tuple(scopes) or SCOPES)

    def fresh(self, claims: Mapping[str, Any]) -> bool:
        """Tell whether claims that somebody signed for himself are in date, and not for too long."""
        begin, end, now = claims.get("iat"), claims.get("exp"), self._clock.now()
        if not isinstance(begin, int | float) or not isinstance(end, int | float):
            return False
        return begin - _SKEW <= now < end + _SKEW and end - begin <= MOST_JWT_LIFETIME + _SKEW

    def verify_id_token(self, token: str) -> dict[str, Any] | None:
        """Give the claims of an ID token if we signed it and it is in date, else None."""
        claims = self.issued(token)
        if claims is None:
            return None
        now = self._clock.now()
        if claims.get("exp", 0) + _SKEW < now or claims.get("iat", 0) - _SKEW > now:
            return None
        return claims

    def issued(self, token: str) -> dict[str, Any] | None:
        """Give the claims of an ID token if we signed it, in date or not."""
        public = self._key.public_key()
        return jwt.verified(token, lambda key_id: public if key_id == self.key_id else None)

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
        return {"keys": [jwt.public_key(self._key.public_key(), self.key_id)]}

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        file = self._folder / "issuer.key"
        key = kept_key(file, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{file} does not hold an RSA key")
        return key

    @cached_property
    def _secret(self) -> bytes:
        file = self._folder / "access.key"
        if not file.exists():
            write_private(file, secrets.token_bytes(32))
        return file.read_bytes()

    def minted(self, prefix: str, claims: Mapping[str, Any]) -> str:
        """Seal claims under a prefix of their own; ``opened`` gives them back."""
        claims = {**claims, "n": secrets.token_hex(4)}
        payload = jwt.encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{prefix}{payload}.{self._seal(prefix + payload)}"

    def opened(self, prefix: str, token: str) -> dict[str, Any] | None:
        """Give what was sealed under a prefix, in date or not; None if it was not us."""
        payload, _, seal = token.removeprefix(prefix).partition(".")
        if not token.startswith(prefix) or not token.isascii():
            return None
        if not hmac.compare_digest(seal, self._seal(prefix + payload)):
            return None
        if self._revoked is not None and self._revoked.find(_fingerprint(token)) is not None:
            return None
        claims: dict[str, Any] = json.loads(jwt.decode(payload))
        return claims

    def _seal(self, payload: str) -> str:
        return jwt.encode(hmac.new(self._secret, payload.encode(), hashlib.sha256).digest())


def _fingerprint(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
