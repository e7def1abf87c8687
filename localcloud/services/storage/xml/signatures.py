"""Signed requests: who signed, and whether the signature is theirs and still good.

V4 (cloud.google.com/storage/docs/access-control/signed-urls and .../authentication/signatures)
with an account's RSA key or an HMAC key, in the query or the Authorization header, in Google's
dialect or Amazon's; V2 with an account's RSA key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from localcloud.errors import ApiError
from localcloud.services.storage import views
from localcloud.services.storage.rights import hmac_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.service import Call

_WEEK = 7 * 86_400
_SKEW = 15 * 60
_HEADER = re.compile(
    r"(GOOG4|AWS4)-(RSA|HMAC)-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*"
    r"Signature=([0-9a-fA-F]+)"
)


class _Dialect(NamedTuple):
    """How one family of clients writes the same signature."""

    prefix: str
    ending: str
    header: str


_DIALECTS = {
    "GOOG4": _Dialect("X-Goog-", "goog4_request", "x-goog-"),
    "AWS4": _Dialect("X-Amz-", "aws4_request", "x-amz-"),
}


@dataclass(frozen=True)
class _V4:
    """A V4 signature, wherever it was found."""

    dialect: str
    kind: str
    credential: str
    date: str
    expires: int
    names: str
    signature: str
    in_query: bool

    @property
    def scope(self) -> str:
        """The credential without who signed."""
        return self.credential.split("/", 1)[1]

    @property
    def signer(self) -> str:
        """Who signed: an account's e-mail or the id of an HMAC key."""
        return self.credential.split("/", 1)[0]


def signer(call: Call) -> str | None:
    """Return the account that signed a request, or None if it is not signed; 4xx if wrongly."""
    query = parse_qsl(urlsplit(call.url).query, keep_blank_values=True)
    given = dict(query)
    if "GoogleAccessId" in given and "Signature" in given:
        return _check_v2(call, query)
    # Names of parameters are the same in capitals or not: gcloud writes them small.
    found = _from_query({key.lower(): value for key, value in query}) or _from_header(call.headers)
    if found is None:
        return None
    _check_time(call.cloud, found)
    request = _canonical(call, query, found)
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{found.dialect}-{found.kind}-SHA256\n{found.date}\n{found.scope}\n{digest}"
    if found.kind == "HMAC":
        return _check_hmac(call.cloud, found, text, request)
    try:
        signature = binascii.unhexlify(found.signature)
    except ValueError:
        signature = b""
    if not signed_by(call.cloud, found.signer, signature, text.encode()):
        raise mismatch(text, request)
    return found.signer


def signed_by(cloud: Cloud, email: str, signature: bytes, payload: bytes) -> bool:
    """Say whether one of an account's keys made an RSA signature."""
    if not email.endswith(".gserviceaccount.com") or not cloud.account_usable(email):
        return False
    for certificate in cloud.tokens.accounts.certificates(email).values():
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        if isinstance(key, rsa.RSAPublicKey):
            try:
                key.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature:
                continue
            return True
    return False


def mismatch(text: str, request: str = "") -> ApiError:
    """Return the refusal of a signature, with what should have been signed."""
    details = "The request signature we calculated does not match the signature you provided. Check your Google secret key and signing method."
    shown = {"StringToSign": text} | ({"CanonicalRequest": request} if request else {})
    return ApiError(
        403,
        "Access denied.",
        reason="SignatureDoesNotMatch",
        details=[{"Details": details, **shown}],
    )


def _bad(message: str, details: str, reason: str = "InvalidArgument", code: int = 400) -> ApiError:
    return ApiError(code, message, reason=reason, details=[{"Details": details}])


def _from_query(given: Mapping[str, str]) -> _V4 | None:
    for name, dialect in _DIALECTS.items():
        prefix = dialect.prefix.lower()
        if f"{prefix}algorithm" not in given:
            continue
        wanted = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
        missing = [each for each in wanted if f"{prefix}{each.lower()}" not in given]
        if missing:
            parameter = f"{dialect.prefix}{missing[0]}"
            raise _bad(
                "A required query parameter is missing.",
                f"Missing query parameter: {parameter}",
                "AuthenticationQueryParametersError",
            )
        found = {each: given[f"{prefix}{each.lower()}"] for each in wanted}
        kind = found["Algorithm"].removeprefix(f"{name}-").removesuffix("-SHA256")
        if kind not in {"RSA", "HMAC"} or not found["Expires"].isdigit():
            raise _bad("Invalid argument.", "X-Goog-Algorithm or X-Goog-Expires is not valid.")
        if not 0 < int(found["Expires"]) <= _WEEK:
            raise _bad(
                "Invalid argument.",
                f"{dialect.prefix}Expires must be between 1 and {_WEEK} seconds.",
            )
        _check_credential(found["Credential"], dialect)
        return _V4(
            name,
            kind,
            found["Credential"],
            found["Date"],
            int(found["Expires"]),
            found["SignedHeaders"],
            found["Signature"],
            in_query=True,
        )
    return None


def _from_header(headers: Mapping[str, str]) -> _V4 | None:
    found = _HEADER.fullmatch(headers.get("authorization", "").strip())
    if found is None:
        return None
    name, kind, credential, names, signature = found.groups()
    dialect = _DIALECTS[name]
    _check_credential(credential, dialect)
    date = headers.get(f"{dialect.header}date", "")
    return _V4(name, kind, credential, date, _SKEW, names, signature, in_query=False)


def _check_credential(credential: str, dialect: _Dialect) -> None:
    parts = credential.split("/")
    if len(parts) != len(("who", "date", "place", "service", "end")) or parts[4] != dialect.ending:
        raise _bad("Invalid argument.", f"The credential '{credential}' is malformed.")


def _check_time(cloud: Cloud, found: _V4) -> None:
    try:
        moment = datetime.strptime(found.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _bad("Invalid argument.", f"The date '{found.date}' is malformed.") from None
    now = cloud.clock.now()
    if moment - _SKEW > now:
        details = "The difference between the request time and the server's time is too large."
        raise _bad("Access denied.", details, "RequestTimeTooSkewed", 403)
    if moment + found.expires < now:
        until = views.stamp(moment + found.expires)
        details = f"The provided token has expired. Request signature expired at: {until}"
        raise _bad("Invalid argument.", details, "ExpiredToken")


def _canonical(call: Call, query: list[tuple[str, str]], found: _V4) -> str:
    dialect = _DIALECTS[found.dialect]
    pairs = [
        f"{quote(key, safe='~')}={quote(value, safe='~')}"
        for key, value in query
        if key.lower() != f"{dialect.prefix}signature".lower()
    ]
    headers = {"host": urlsplit(call.url).hostname or ""} | call.headers
    names = found.names.split(";")
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in names]
    digest = headers.get(f"{dialect.header}content-sha256", "UNSIGNED-PAYLOAD")
    path = urlsplit(call.url).path
    return "\n".join(
        [call.http_method, path, "&".join(sorted(pairs)), *lines, "", found.names, digest]
    )


def _check_hmac(cloud: Cloud, found: _V4, text: str, request: str) -> str:
    known = hmac_keys.secret_of(cloud, found.signer)
    if known is None:
        details = f"The access ID '{found.signer}' does not exist, or it is not active."
        raise _bad("Access denied.", details, "InvalidAccessKeyId", 403)
    email, secret = known
    key = f"{found.dialect}{secret}".encode()
    for part in found.scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, found.signature.lower()):
        raise mismatch(text, request)
    return email


# V2


_NOT_SIGNED = {"googleaccessid", "expires", "signature"}
_ADDED = {"response-content-type", "response-content-disposition", "generation"}


def _check_v2(call: Call, query: list[tuple[str, str]]) -> str:
    given = dict(query)
    if not given.get("Expires", "").isdigit():
        raise _bad("Invalid argument.", "Expires must be a number of seconds since the epoch.")
    if int(given["Expires"]) < call.cloud.clock.now():
        until = views.stamp(int(given["Expires"]))
        details = f"The provided token has expired. Request signature expired at: {until}"
        raise _bad("Invalid argument.", details, "ExpiredToken")
    email = given["GoogleAccessId"]
    try:
        signature = base64.b64decode(given["Signature"])
    except ValueError:
        signature = b""
    text = ""
    for skipped in (_NOT_SIGNED | _ADDED, _NOT_SIGNED):
        text = _v2_text(call, query, skipped)
        if signed_by(call.cloud, email, signature, text.encode()):
            return email
    raise mismatch(text)


def _v2_text(call: Call, query: list[tuple[str, str]], skipped: set[str]) -> str:
    path = urlsplit(call.url).path
    host = urlsplit(call.url).hostname or ""
    if host.endswith(".storage.googleapis.com"):
        path = f"/{host.removesuffix('.storage.googleapis.com')}{path}"
    more = sorted((key, value) for key, value in query if key.lower() not in skipped)
    resource = f"{path}?{urlencode(more)}" if more else path
    extra = [
        f"{name}:{' '.join(value.split())}"
        for name, value in sorted(call.headers.items())
        if name.startswith("x-goog-")
    ]
    return "\n".join(
        [
            call.http_method,
            call.headers.get("content-md5", ""),
            call.headers.get("content-type", "") if call.http_method in {"PUT", "POST"} else "",
            _expires(query),
            *extra,
            resource,
        ]
    )


def _expires(query: list[tuple[str, str]]) -> str:
    """Return when a V2 signature ends, as it was written."""
    return next(value for key, value in query if key == "Expires")
