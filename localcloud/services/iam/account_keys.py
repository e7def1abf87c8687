"""Keys of service accounts: made, uploaded, listed, disabled and deleted."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from localcloud.clock import rfc3339
from localcloud.errors import invalid, not_found, precondition
from localcloud.identity.account_keys import USER
from localcloud.identity.grants import TOKEN_URI

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Needs, Resource

MOST_KEYS = 10
"""User-managed keys of one account (cloud.google.com/iam/quotas)."""

_BITS = {"KEY_ALG_UNSPECIFIED": 2048, "KEY_ALG_RSA_1024": 1024, "KEY_ALG_RSA_2048": 2048}
_X509 = "https://www.googleapis.com/robot/v1/metadata/x509/"


def create(call: Call) -> Resource:
    """Make a key; the answer is the only time its private half is seen."""
    kind = call.body.get("privateKeyType", "TYPE_GOOGLE_CREDENTIALS_FILE")
    if kind == "TYPE_PKCS12_FILE":
        raise invalid("The local cloud makes no PKCS #12 files; use TYPE_GOOGLE_CREDENTIALS_FILE.")
    bits = _BITS[call.body.get("keyAlgorithm", "KEY_ALG_UNSPECIFIED")]
    account = _account(call)
    _room(call, account)
    key, pem = call.cloud.tokens.accounts.make(account["email"], kind=USER, bits=bits)
    file = {
        "type": "service_account",
        "project_id": call.cloud.project,
        "private_key_id": key["id"],
        "private_key": pem,
        "client_email": account["email"],
        "client_id": account["uniqueId"],
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": TOKEN_URI,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": _X509 + account["email"].replace("@", "%40"),
        "universe_domain": "googleapis.com",
    }
    data = base64.b64encode(json.dumps(file, indent=2).encode()).decode()
    return {
        **_shown(account, key),
        "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE",
        "privateKeyData": data,
    }


def upload(call: Call) -> Resource:
    """Take the certificate of a key that was made elsewhere."""
    account = _account(call)
    _room(call, account)
    try:
        key = call.cloud.tokens.accounts.upload(
            account["email"], call.bytes_field(call.body["publicKeyData"])
        )
    except (ValueError, TypeError):
        raise invalid("The public key must be an RSA X.509 certificate in PEM form.") from None
    return _shown(account, key)


def get(call: Call) -> Resource:
    """Show a key, with its certificate when asked for."""
    account, key = _key(call)
    shown = _shown(account, key)
    if call.get("publicKeyType") in {"TYPE_X509_PEM_FILE", "TYPE_RAW_PUBLIC_KEY"}:
        shown["publicKeyData"] = base64.b64encode(key["certificate"].encode()).decode()
    return shown


def list_keys(call: Call) -> Resource:
    """List the keys, Google's own among them unless only some types are asked for."""
    account = _account(call)
    kinds = call.get("keyTypes") or []
    found = [
        _shown(account, key)
        for key in call.cloud.tokens.accounts.of(account["email"])
        if not kinds or key["kind"] in kinds
    ]
    return {"keys": found} if found else {}


def delete(call: Call) -> None:
    """Delete a key of the account's users."""
    account, key = _own(call)
    call.cloud.tokens.accounts.delete(account["email"], key)


def disable(call: Call) -> None:
    """Make what the key signs worthless."""
    account, key = _own(call)
    call.cloud.tokens.accounts.switch(account["email"], key, disabled=True)


def enable(call: Call) -> None:
    """Undo disable."""
    account, key = _own(call)
    call.cloud.tokens.accounts.switch(account["email"], key, disabled=False)


def _account(call: Call) -> Resource:
    name = call.resource
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Unknown service account: {name.rpartition('/')[2]}")
    return found


def _key(call: Call) -> tuple[Resource, Resource]:
    account = _account(call)
    key_id = str(call["name"]).rpartition("/")[2]
    key = call.cloud.tokens.accounts.find(account["email"], key_id)
    if key is None:
        raise not_found(f"Service account key {key_id} does not exist.")
    return account, key


def _own(call: Call) -> tuple[Resource, Resource]:
    account, key = _key(call)
    if key["kind"] != USER:
        raise precondition("A system-managed key cannot be changed or deleted.")
    return account, key


def _room(call: Call, account: Resource) -> None:
    held = [key for key in call.cloud.tokens.accounts.of(account["email"]) if key["kind"] == USER]
    if len(held) >= MOST_KEYS:
        raise precondition("Precondition check failed.")


def _shown(account: Resource, key: Resource) -> Resource:
    shown = {
        "name": f"{account['name']}/keys/{key['id']}",
        "keyAlgorithm": "KEY_ALG_RSA_1024" if key["bits"] <= 1024 else "KEY_ALG_RSA_2048",  # noqa: PLR2004
        "keyOrigin": key["origin"],
        "keyType": key["kind"],
        "validAfterTime": rfc3339(int(key["since"])).replace(".000000", ""),
        "validBeforeTime": rfc3339(int(key["until"])).replace(".000000", ""),
    }
    if key.get("disabled"):
        shown |= {
            "disabled": True,
            "disableReason": "SERVICE_ACCOUNT_KEY_DISABLE_REASON_USER_INITIATED",
        }
    return shown


_PREFIX = "iam.projects.serviceAccounts.keys."

KEY_HANDLERS: dict[str, Callable[[Call], Any]] = {
    _PREFIX + "create": create,
    _PREFIX + "upload": upload,
    _PREFIX + "get": get,
    _PREFIX + "list": list_keys,
    _PREFIX + "delete": delete,
    _PREFIX + "disable": disable,
    _PREFIX + "enable": enable,
}
"""The handlers of keys."""

KEY_PERMISSIONS: dict[str, str | Needs] = {
    _PREFIX + "create": "iam.serviceAccountKeys.create",
    _PREFIX + "upload": "iam.serviceAccountKeys.create",
    _PREFIX + "get": "iam.serviceAccountKeys.get",
    _PREFIX + "list": "iam.serviceAccountKeys.list",
    _PREFIX + "delete": "iam.serviceAccountKeys.delete",
    _PREFIX + "disable": "iam.serviceAccountKeys.disable",
    _PREFIX + "enable": "iam.serviceAccountKeys.enable",
}
"""What each of them needs."""
