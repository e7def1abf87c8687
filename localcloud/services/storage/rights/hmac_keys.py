"""HMAC keys: made for service accounts, switched off, and deleted; what they sign is verified.

See cloud.google.com/storage/docs/authentication/hmackeys.
"""

from __future__ import annotations

import base64
import secrets
import string
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.service import page
from localcloud.services.storage import views
from localcloud.services.storage.names import SELF
from localcloud.services.storage.preconditions import failed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource
    from localcloud.store import Collection

_SIGNS = string.ascii_uppercase + string.digits
_ID_SIGNS = 57
_SECRET_BYTES = 30
_MOST_ACTIVE = 10


def create(call: Call) -> Resource:
    """Make a key; its secret is in this answer and never again."""
    _check_project(call)
    email = call.get("serviceAccountEmail") or ""
    if not email.endswith(".gserviceaccount.com") or not call.cloud.account_usable(email):
        message = f"Service account {email} does not exist."
        raise ApiError(404, message, reason="notFound")
    keys = _keys(call.cloud)
    with keys.lock():
        owned = [key for key in keys.children("") if key["serviceAccountEmail"] == email]
        if sum(key["state"] != "DELETED" for key in owned) >= _MOST_ACTIVE:
            message = f"Service account {email} has reached its limit of {_MOST_ACTIVE} HMAC keys."
            raise ApiError(400, message, reason="invalid")
        now = views.stamp(call.cloud.clock.now())
        access_id = "GOOG1E" + "".join(secrets.choice(_SIGNS) for _ in range(_ID_SIGNS - 2))
        secret = base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        kept = {
            "accessId": access_id,
            "serviceAccountEmail": email,
            "state": "ACTIVE",
            "timeCreated": now,
            "updated": now,
            "secret": secret,
            "revision": 1,
        }
        keys.put(access_id, kept)
    return {"kind": "storage#hmacKey", "metadata": _shown(call.cloud, kept), "secret": secret}


def get(call: Call) -> Resource:
    """Show a key without its secret."""
    return _shown(call.cloud, _fetch(call))


def list_all(call: Call) -> Resource:
    """Show the project's keys, without the deleted ones unless asked for."""
    _check_project(call)
    wanted = call.get("serviceAccountEmail")
    found = [
        _shown(call.cloud, key)
        for key in _keys(call.cloud).children("")
        if (call.get("showDeletedKeys") or key["state"] != "DELETED")
        and wanted in {None, key["serviceAccountEmail"]}
    ]
    return {
        "kind": "storage#hmacKeysMetadata",
        **page(call, found, "items", "maxResults", default=250, most=250),
    }


def update(call: Call) -> Resource:
    """Switch a key on or off."""
    state = call.body.get("state")
    if state not in {"ACTIVE", "INACTIVE"}:
        raise ApiError(400, f"Invalid value for state: {state}", reason="invalid")
    keys = _keys(call.cloud)
    with keys.lock():
        found = _fetch(call)
        sent = call.body.get("etag")
        if sent and sent != _etag(found):
            raise failed()
        if found["state"] == "DELETED":
            raise ApiError(400, "Cannot update a deleted HMAC key.", reason="invalid")
        return _shown(call.cloud, keys.put(found["accessId"], _changed(call, found, state)))


def delete(call: Call) -> None:
    """Delete a key that has been switched off."""
    keys = _keys(call.cloud)
    with keys.lock():
        found = _fetch(call)
        if found["state"] == "ACTIVE":
            message = "Cannot delete keys in ACTIVE state."
            raise ApiError(400, message, reason="invalid")
        keys.put(found["accessId"], _changed(call, found, "DELETED"))


def secret_of(cloud: Cloud, access_id: str) -> tuple[str, str] | None:
    """Return the account and the secret of an active key, or None."""
    found = _keys(cloud).find(access_id)
    if found is None or found["state"] != "ACTIVE":
        return None
    return found["serviceAccountEmail"], found["secret"]


def _changed(call: Call, key: Resource, state: str) -> Resource:
    now = views.stamp(call.cloud.clock.now())
    return key | {"state": state, "updated": now, "revision": key["revision"] + 1}


def _shown(cloud: Cloud, key: Resource) -> Resource:
    path = f"projects/{cloud.project}/hmacKeys/{key['accessId']}"
    hidden = {"secret", "revision"}
    return {
        "kind": "storage#hmacKeyMetadata",
        "id": f"{cloud.project}/{key['accessId']}",
        "selfLink": f"{SELF}/{path}",
        "projectId": cloud.project,
        "etag": _etag(key),
        **{name: value for name, value in key.items() if name not in hidden},
    }


def _etag(key: Resource) -> str:
    return base64.b64encode(f"{key['accessId'][-6:]}{key['revision']}".encode()).decode()


def _fetch(call: Call) -> Resource:
    _check_project(call)
    found = _keys(call.cloud).find(call["accessId"])
    if found is None:
        message = f"Access ID not found in project {call['projectId']}: {call['accessId']}"
        raise ApiError(404, message, reason="notFound")
    return found


def _check_project(call: Call) -> None:
    if call["projectId"] not in {call.cloud.project, call.cloud.number}:
        raise ApiError(404, "The requested project was not found.", reason="notFound")


def _keys(cloud: Cloud) -> Collection:
    return cloud.store.of("storage.hmacKeys")
