"""IAM Credentials: acting as a service account one has been trusted with.

Rules as cloud.google.com/iam/docs/create-short-lived-credentials-direct has them.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from localcloud.clock import rfc3339
from localcloud.documents.protos import Protos
from localcloud.errors import ApiError, error_info, invalid, not_found
from localcloud.identity.principals import subject
from localcloud.service import PUBLIC, Call, Needs, Resource, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LIFETIME = 3600
MOST_EXTENDED_LIFETIME = 12 * 3600
"""With constraints/iam.allowServiceAccountCredentialLifetimeExtension, seconds."""

MOST_JWT_LIFETIME = 12 * 3600

_ACCOUNT = re.compile(r"projects/[^/]+/serviceAccounts/([^/]+)")
_DELEGATION = "iam.serviceAccounts.implicitDelegation"
_EXTENSION = "iam.allowServiceAccountCredentialLifetimeExtension"


def generate_access_token(call: Call) -> Resource:
    """Mint an access token of the account, good for the scopes asked for."""
    email = _account(call)
    lifetime = _lifetime(call, email)
    token = call.cloud.tokens.access_token(email, lifetime=lifetime, scopes=call.body["scope"])
    expiry = rfc3339(int(call.cloud.clock.now()) + lifetime)
    # whole seconds: gcloud cannot read a fraction here
    return {"accessToken": token, "expireTime": expiry.replace(".000000", "")}


def generate_id_token(call: Call) -> Resource:
    """Mint an ID token of the account; its e-mail is in it only when asked for."""
    email = _account(call)
    now = int(call.cloud.clock.now())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": call.body["audience"],
        "azp": email if call.body.get("useEmailAzp") else subject(email),
        "sub": subject(email),
        "iat": now,
        "exp": now + MOST_LIFETIME,
    }
    if call.body.get("includeEmail"):
        claims |= {"email": email, "email_verified": True}
    return {"token": call.cloud.tokens.sign_jwt(claims)}


def sign_jwt(call: Call) -> Resource:
    """Sign claims with the account's key; they may hold for twelve hours at most."""
    email = _account(call)
    try:
        claims = json.loads(call.body["payload"])
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise invalid("The payload must be a JSON object of claims.")
    now = int(call.cloud.clock.now())
    expiry = claims.setdefault("exp", now + MOST_LIFETIME)
    if not isinstance(expiry, int) or expiry > now + MOST_JWT_LIFETIME:
        raise invalid("The 'exp' claim must be a number of seconds within the next 12 hours.")
    key_id, token = call.cloud.tokens.accounts.sign_jwt(email, claims)
    return {"keyId": key_id, "signedJwt": token}


def sign_blob(call: Call) -> Resource:
    """Sign bytes with the account's key."""
    email = _account(call)
    payload = call.bytes_field(call.body["payload"])
    key_id, signature = call.cloud.tokens.accounts.sign(email, payload)
    return {"keyId": key_id, "signedBlob": base64.b64encode(signature).decode()}


def allowed_locations(call: Call) -> Resource:
    """Say where the account's tokens may be used: nothing restricts them here."""
    _account(call)
    return {"encodedLocations": "0x0"}


def _account(call: Call) -> str:
    """Find the account; with delegates, only over a chain of which every link holds."""
    email = str(call["name"]).rpartition("/")[2]
    if email.isdigit():
        email = next(
            (
                one["email"]
                for one in call.cloud.store.of("iam").children(
                    f"projects/{call.cloud.project}/serviceAccounts/"
                )
                if one["uniqueId"] == email
            ),
            email,
        )
    if not email.endswith(".gserviceaccount.com") or not call.cloud.account_usable(email):
        raise not_found(f"Not found; Gaia id not found for email {email}")
    for member, link in _chain(call):
        call.cloud.iam.check(member, _DELEGATION, "iam", _resource(call, link))
    if call.body.get("delegates"):
        last = _delegate(call.body["delegates"][-1])
        permission = call.service.permissions[call.method].permissions[0]
        call.cloud.iam.check(f"serviceAccount:{last}", permission, "iam", _resource(call, email))
    return email


def _chain(call: Call) -> Iterator[tuple[str, str]]:
    """Give the links: who must be trusted by which delegate."""
    member = call.caller.member
    for name in call.body.get("delegates", []):
        delegate = _delegate(name)
        if not call.cloud.account_usable(delegate):
            raise not_found(f"Not found; Gaia id not found for email {delegate}")
        yield member, delegate
        member = f"serviceAccount:{delegate}"


def _delegate(name: str) -> str:
    found = _ACCOUNT.fullmatch(name)
    if found is None:
        raise invalid(
            f"Invalid delegate {name}: delegates are named projects/-/serviceAccounts/EMAIL."
        )
    return found[1]


def _resource(call: Call, email: str) -> str:
    return f"projects/{call.cloud.project}/serviceAccounts/{email}"


def _delegated(call: Call, permission: str) -> bool:
    """Tell whether the caller comes by delegates, whose rights are then looked at instead."""
    del permission
    return bool(call.body.get("delegates"))


def _lifetime(call: Call, email: str) -> int:
    seconds = float(call.body.get("lifetime", "3600s").removesuffix("s"))
    extended = call.cloud.constraints.names(_EXTENSION, email)
    most = MOST_EXTENDED_LIFETIME if extended else MOST_LIFETIME
    if 0 < seconds <= most:
        return int(seconds)
    message = "The access token lifetime cannot exceed 1 hour."
    if seconds <= 0:
        message = "The access token lifetime must be positive."
    elif extended:
        message = "The access token lifetime cannot exceed 12 hours."
    raise ApiError(
        400,
        message,
        details=[error_info("INVALID_LIFETIME", domain="iamcredentials.googleapis.com")],
    )


def _needs(permission: str) -> Needs:
    return Needs(permission, api="iam", also=_delegated)


_PREFIX = "iamcredentials.projects.serviceAccounts."

SERVICE = Service(
    "iamcredentials",
    "v1",
    {
        _PREFIX + "generateAccessToken": generate_access_token,
        _PREFIX + "generateIdToken": generate_id_token,
        _PREFIX + "signJwt": sign_jwt,
        _PREFIX + "signBlob": sign_blob,
        _PREFIX + "getAllowedLocations": allowed_locations,
    },
    protos=Protos("google.iam.credentials.v1", "google.cloud.iam_credentials_v1"),
    permissions={
        _PREFIX + "generateAccessToken": _needs("iam.serviceAccounts.getAccessToken"),
        _PREFIX + "generateIdToken": _needs("iam.serviceAccounts.getOpenIdToken"),
        _PREFIX + "signJwt": _needs("iam.serviceAccounts.signJwt"),
        _PREFIX + "signBlob": _needs("iam.serviceAccounts.signBlob"),
        _PREFIX + "getAllowedLocations": PUBLIC,
    },
    required={
        _PREFIX + "generateAccessToken": ("scope",),
        _PREFIX + "generateIdToken": ("audience",),
        _PREFIX + "signJwt": ("payload",),
        _PREFIX + "signBlob": ("payload",),
    },
)
