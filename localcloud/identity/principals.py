"""Who a caller is, how he says so, and the 401 for who does not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, error_info

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
SCOPES = (CLOUD_PLATFORM, "https://www.googleapis.com/auth/userinfo.email", "openid")
"""What a token is good for unless less was asked for."""

_MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential. See "
    "https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_KEY_ONLY = (
    "API keys are not supported by this API. Expected OAuth2 access token or other authentication "
    "credentials that assert a principal. See https://cloud.google.com/docs/authentication"
)
_INVALID = _MISSING.replace(
    "Request is missing required authentication credential.",
    "Request had invalid authentication credentials.",
)


_CHALLENGE = 'Bearer realm="https://accounts.google.com/"'


@dataclass(frozen=True)
class Principal:
    """An identity: a person, a service account, or nobody (``email`` empty)."""

    email: str
    scopes: tuple[str, ...] = SCOPES

    @property
    def anonymous(self) -> bool:
        """Tell whether there was no token."""
        return not self.email

    def good_for(self, scopes: Collection[str]) -> bool:
        """Tell whether the token may be used where one of these scopes is needed."""
        return not scopes or CLOUD_PLATFORM in self.scopes or any(s in scopes for s in self.scopes)

    @property
    def member(self) -> str:
        """The identity as policies write it."""
        if not self.email:
            return "allUsers"
        kind = "serviceAccount" if self.email.endswith(".gserviceaccount.com") else "user"
        return f"{kind}:{self.email}"


ANONYMOUS = Principal("")


def bearer(headers: Mapping[str, str]) -> str | None:
    """Give the bearer token of lower-case headers, or None."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def subject(email: str) -> str:
    """Give the stable numeric id Google would have for an account."""
    number = int.from_bytes(hashlib.sha256(email.encode()).digest()[:8], "big")
    return f"1{number % 10**20:020d}"


def unauthenticated(
    reason: str = "ACCESS_TOKEN_TYPE_UNSUPPORTED", *, missing: bool = False, key: bool = False
) -> ApiError:
    """401 in Google's words, for an unusable token, a missing one, or an API key instead of one."""
    words = _KEY_ONLY if key else _MISSING if missing else _INVALID
    return ApiError(
        401,
        words,
        details=[error_info("CREDENTIALS_MISSING" if missing else reason)],
        headers={
            "www-authenticate": _CHALLENGE if missing else f'{_CHALLENGE}, error="invalid_token"'
        },
    )
