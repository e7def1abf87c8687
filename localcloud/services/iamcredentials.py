"""IAM Credentials: acting as a service account one has been trusted with."""

from __future__ import annotations

import base64
import json

from localcloud.clock import rfc3339
from localcloud.errors import invalid, not_found
from localcloud.protos import Protos
from localcloud.service import Call, Needs, Resource, Service
from localcloud.tokens import subject

MOST_LIFETIME = 3600


def generate_access_token(call: Call) -> Resource:
    """Mint an access token of the account."""
    email = _account(call)
    lifetime = _lifetime(call.body.get("lifetime", "3600s"))
    token = call.cloud.tokens.access_token(email, lifetime=lifetime)
    expiry = rfc3339(int(call.cloud.clock.now()) + lifetime)
    # whole seconds: gcloud cannot read a fraction here
    return {"accessToken": token, "expireTime": expiry.replace(".000000", "")}


def generate_id_token(call: Call) -> Resource:
    """Mint an ID token of the account; its e-mail is in it only when asked for."""
    email = _account(call)
    audience = call.body["audience"]
    if call.body.get("includeEmail"):
        return {"token": call.cloud.tokens.id_token(email, audience)}
    now = int(call.cloud.clock.now())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": subject(email),
        "sub": subject(email),
        "iat": now,
        "exp": now + MOST_LIFETIME,
    }
    return {"token": call.cloud.tokens.sign_jwt(claims)}


def sign_jwt(call: Call) -> Resource:
    """Sign claims with the account's key."""
    _account(call)
    try:
        claims = json.loads(call.body["payload"])
    except ValueError:
        claims = None
    if not isinstance(claims, dict):
        raise invalid("The payload must be a JSON object of claims.")
    return {"keyId": call.cloud.tokens.key_id, "signedJwt": call.cloud.tokens.sign_jwt(claims)}


def sign_blob(call: Call) -> Resource:
    """Sign bytes with the account's key."""
    _account(call)
    payload = call.bytes_field(call.body["payload"])
    signature = base64.b64encode(call.cloud.tokens.sign(payload)).decode()
    return {"keyId": call.cloud.tokens.key_id, "signedBlob": signature}


def _account(call: Call) -> str:
    email = str(call["name"]).rpartition("/")[2]
    if not call.cloud.account_usable(email):
        raise not_found(f"Unknown service account: {email}")
    if call.body.get("delegates"):
        raise invalid("Chains of delegates are not supported by the local cloud.")
    return email


def _lifetime(text: str) -> int:
    seconds = int(float(text.removesuffix("s")))
    if not 0 < seconds <= MOST_LIFETIME:
        raise invalid(
            f"The access token lifetime must be between 1 and {MOST_LIFETIME} seconds; longer needs "
            "the organisation policy constraints/iam.allowServiceAccountCredentialLifetimeExtension."
        )
    return seconds


_PREFIX = "iamcredentials.projects.serviceAccounts."

SERVICE = Service(
    "iamcredentials",
    "v1",
    {
        _PREFIX + "generateAccessToken": generate_access_token,
        _PREFIX + "generateIdToken": generate_id_token,
        _PREFIX + "signJwt": sign_jwt,
        _PREFIX + "signBlob": sign_blob,
    },
    protos=Protos("google.iam.credentials.v1", "google.cloud.iam_credentials_v1"),
    permissions={
        _PREFIX + "generateAccessToken": Needs("iam.serviceAccounts.getAccessToken", api="iam"),
        _PREFIX + "generateIdToken": Needs("iam.serviceAccounts.getOpenIdToken", api="iam"),
        _PREFIX + "signJwt": Needs("iam.serviceAccounts.signJwt", api="iam"),
        _PREFIX + "signBlob": Needs("iam.serviceAccounts.signBlob", api="iam"),
    },
    required={
        _PREFIX + "generateAccessToken": ("scope",),
        _PREFIX + "generateIdToken": ("audience",),
        _PREFIX + "signJwt": ("payload",),
        _PREFIX + "signBlob": ("payload",),
    },
)
