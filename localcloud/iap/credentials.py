"""The tokens of programs: an ID token for the right client, or one an account signed itself.

The words are those IAP answers with; where no answer was seen they follow its pattern, and the line
says so. cloud.google.com/iap/docs/authentication-howto has the two kinds of tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.identity import jwt
from localcloud.identity.tokens import ISSUER, MOST_JWT_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Collection

    from localcloud.cloud import Cloud
    from localcloud.iap.guarded import Asked

_ISSUERS = frozenset({ISSUER, "accounts.google.com"})
_SKEW = 10


class InvalidError(Exception):
    """A token that IAP does not take; the message follows "Invalid IAP credentials: "."""


def identity(
    cloud: Cloud, token: str, asked: Asked, *, client: str, programs: Collection[str]
) -> str:
    """Give whose token this is; InvalidError if it is good for nothing here.

    ``client`` is the OAuth client that was brought along (empty: Google's own), ``programs`` the
    clients that programs may use besides.
    """
    opened = jwt.unverified(token)
    if opened is None:
        raise InvalidError("Unable to parse JWT")
    issuer = str(opened[1].get("iss", ""))
    if issuer in _ISSUERS:
        claims = cloud.tokens.issued(token)
        _check(cloud, claims)
        _check_client(claims or {}, client, programs)
        email = str((claims or {}).get("email") or "")
        if not email:  # the words are ours
            raise InvalidError("Invalid bearer token. JWT has no email claim.")
    elif issuer.endswith(".gserviceaccount.com"):
        email = issuer
        claims = cloud.tokens.accounts.verified(email, token)
        _check(cloud, claims)
        _check_own(claims or {}, email, asked)
    else:  # the words are ours
        raise InvalidError(f"Invalid bearer token. Invalid JWT issuer: {issuer}")
    if not cloud.account_usable(email):
        raise InvalidError("Invalid bearer token. The account is disabled or deleted.")  # ours
    return email


def _check(cloud: Cloud, claims: dict[str, Any] | None) -> None:
    if claims is None:
        raise InvalidError("JWT signature is invalid")
    now = cloud.clock.now()
    begin, end = (claims.get(name) for name in ("iat", "exp"))
    if not isinstance(begin, int | float) or not isinstance(end, int | float):
        raise InvalidError("Invalid bearer token. JWT has no iat and exp claims.")  # ours
    if end + _SKEW < now:
        raise InvalidError("JWT is expired")
    if begin - _SKEW > now:
        raise InvalidError("Invalid bearer token. JWT was issued in the future.")  # ours


def _check_client(claims: dict[str, Any], client: str, programs: Collection[str]) -> None:
    audience = str(claims.get("aud", ""))
    if audience in programs or (client and audience == client):
        return
    if client:
        raise InvalidError(
            f"JWT audience doesn't match this application ('aud' claim ({audience}) doesn't match "
            f"expected value ({client}))"
        )
    # Google's own client is nobody's audience unless the settings allow programs to use theirs
    raise InvalidError("Invalid bearer token. Invalid JWT audience.")


def _check_own(claims: dict[str, Any], email: str, asked: Asked) -> None:
    if claims.get("sub") != email:
        raise InvalidError("Invalid bearer token. Invalid JWT subject.")  # ours
    if claims["exp"] - claims["iat"] > MOST_JWT_LIFETIME + _SKEW:
        raise InvalidError("Invalid bearer token. JWT lifetime is more than one hour.")  # ours
    if not covers(str(claims.get("aud", "")), asked):
        raise InvalidError("Invalid bearer token. Invalid JWT audience.")


def covers(audience: str, asked: Asked) -> bool:
    """Tell whether an audience is a request's own URL, or stands with ``/*`` for all below one."""
    url = f"https://{asked.host}{asked.path}"
    if audience.endswith("/*"):
        return url.startswith(audience[:-1]) or url == audience[:-2]
    return audience.rstrip("/") == url.rstrip("/")
