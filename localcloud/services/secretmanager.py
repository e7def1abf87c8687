"""Secret Manager. Synchronous, so the smallest fake here: read this one first."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import google_crc32c

from localcloud.documents.protos import Protos
from localcloud.errors import already_exists, invalid, not_found, precondition
from localcloud.iam import iam_methods
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import Call, Needs, Resource, Service, page
from localcloud.services import _secret_rules as rules

if TYPE_CHECKING:
    from localcloud.store import Collection

MOST_BYTES = 65536
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_CHANGEABLE = frozenset(
    {
        "labels",
        "annotations",
        "topics",
        "expireTime",
        "ttl",
        "rotation",
        "versionAliases",
        "versionDestroyTtl",
    }
)


def secret_name(call: Call) -> str:
    """Find the secret a call is about: policies are kept on secrets, not on versions."""
    name = str(call.get("name") or call.get("resource") or call["parent"])
    return call.cloud.by_id(name)


def create(call: Call) -> Resource:
    """Make a secret without versions."""
    secret_id = call.get("secretId") or ""
    if not _ID.fullmatch(secret_id):
        raise invalid(
            f"The provided Secret ID [{secret_id}] does not match the expected format "
            f"[[a-zA-Z_0-9]+]"
        )
    rules.check_sent(call.body)
    rules.check_replication(call.body["replication"])
    sent = rules.settled(call.body, ["expireTime"], call.cloud.clock.now())
    key = f"{call.cloud.by_id(call['parent'])}/secrets/{secret_id}"
    name = call.cloud.by_number(key)
    with call.store.lock():
        if _living(call, key) is not None:
            raise already_exists(f"Secret [{name}] already exists.")
        secret = {**sent, "name": name, "createTime": call.now, "etag": _etag(call)}
        return call.store.create(key, secret)


def get(call: Call) -> Resource:
    """Show a secret, never its payload."""
    return _secret(call)


def list_secrets(call: Call) -> Resource:
    """List secrets, newest first as Google does."""
    found = call.store.children(f"{call.cloud.by_id(call['parent'])}/secrets/")
    now = call.cloud.clock.now()
    living = [secret for secret in reversed(found) if not rules.over(secret, now)]
    kept = filtered(living, call.get("filter"))
    answer = page(call, kept, "secrets", default=25000, most=25000)
    return {**answer, "totalSize": len(kept)}


def patch(call: Call) -> Resource:
    """Change what may change about a secret."""
    mask = call.mask()
    if not mask:
        raise invalid("The update_mask must not be empty.")
    for path in mask:
        if path.partition(".")[0] not in _CHANGEABLE:
            raise invalid(f"The field [{path}] is not mutable or does not exist.")
    rules.check_sent(call.body)
    _check_etag(call.body.get("etag"), _secret(call))

    def change(secret: Resource) -> Resource:
        changed = merged(secret, call.body, mask)
        if "ttl" in mask and "ttl" not in call.body:
            changed.pop("expireTime", None)
        settled = rules.settled(changed, mask, call.cloud.clock.now())
        return {**settled, "etag": _etag(call)}

    return call.store.update(secret_name(call), change)


def delete(call: Call) -> None:
    """Remove a secret with its versions and its policy."""
    _check_etag(call.get("etag"), _secret(call))
    _remove(call, secret_name(call))


def _remove(call: Call, key: str) -> None:
    with call.store.lock():
        for name, _ in call.store.under(key + "/"):
            call.store.delete(name)
        call.store.delete(key)
        _payloads(call).delete_under(key)
        call.cloud.iam.forget(f"//{call.service.host}/{key}")


def add_version(call: Call) -> Resource:
    """Store a payload under the next number; a wrong checksum is refused."""
    secret = _secret(call)
    payload = call.body["payload"]
    data = call.bytes_field(payload.get("data", ""))
    if not data:
        raise invalid("Secret Payload cannot be empty.")
    if len(data) > MOST_BYTES:
        raise invalid(f"The secret payload is {len(data)} bytes, the limit is {MOST_BYTES} bytes.")
    checksum = _crc32c(data)
    sent = payload.get("dataCrc32c")
    if sent is not None and int(sent) != checksum:
        raise invalid(
            f"Invalid checksum: the CRC32C of the payload is {checksum}, the request says {sent}."
        )
    key = secret_name(call)
    with call.store.lock():
        number = call.store.next_number(key + "#" + secret["createTime"])
        version = {
            "name": f"{secret['name']}/versions/{number}",
            "createTime": call.now,
            "state": "ENABLED",
            "etag": _etag(call),
            "clientSpecifiedPayloadChecksum": sent is not None,
            "replicationStatus": _replication_status(secret["replication"]),
        }
        _payloads(call).write(f"{key}/versions/{number}", data)
        return call.store.create(f"{key}/versions/{number}", version)


def access(call: Call) -> Resource:
    """Give the payload of an enabled version."""
    key, version = _version(call)
    if version["state"] != "ENABLED":
        raise precondition(f"Secret Version [{version['name']}] is in {version['state']} state.")
    data = _payloads(call).read(key)
    return {
        "name": version["name"],
        "payload": {
            "data": base64.b64encode(data).decode(),
            "dataCrc32c": str(_crc32c(data)),
        },
    }


def get_version(call: Call) -> Resource:
    """Show a version without its payload."""
    return _version(call)[1]


def list_versions(call: Call) -> Resource:
    """List versions, newest first."""
    _secret(call)
    found = [version for _, version in call.store.under(secret_name(call) + "/versions/")]
    for version in found:
        _destroy_if_due(call, call.cloud.by_id(version["name"]), version)
    found = list(reversed(call.store.children(secret_name(call) + "/versions/")))
    kept = filtered(found, call.get("filter"))
    answer = page(call, kept, "versions", default=25000, most=25000)
    return {**answer, "totalSize": len(kept)}


def disable(call: Call) -> Resource:
    """Make a version unreadable for now."""
    return _change_state(call, "DISABLED")


def enable(call: Call) -> Resource:
    """Make a disabled version readable again."""
    return _change_state(call, "ENABLED")


def destroy(call: Call) -> Resource:
    """Remove a payload for good; with versionDestroyTtl the version is only disabled at first."""
    key, version = _version(call)
    ttl = call.store.fetch(key.partition("/versions/")[0]).get("versionDestroyTtl")
    if not ttl or version["state"] == "DESTROYED":
        return _change_state(call, "DESTROYED")
    due = rules.later(call.cloud.clock.now(), ttl)
    return _change_state(call, "DISABLED", scheduledDestroyTime=due)


def _destroy_if_due(call: Call, key: str, version: Resource) -> Resource:
    """Destroy a version whose time is over; it is done when anybody looks."""
    if version["state"] == "DESTROYED" or not rules.over(
        version, call.cloud.clock.now(), "scheduledDestroyTime"
    ):
        return version
    _payloads(call).delete_under(key)
    return call.store.update(
        key,
        lambda found: _destroyed({**found, "state": "DESTROYED"}, version["scheduledDestroyTime"]),
    )


def _destroyed(version: Resource, when: str) -> Resource:
    version.pop("scheduledDestroyTime", None)
    return {**version, "destroyTime": when}


def _change_state(call: Call, state: str, **more: str) -> Resource:
    key, current = _version(call)
    _check_etag(call.body.get("etag"), current)

    def change(version: Resource) -> Resource:
        if version["state"] == "DESTROYED" and state != "DESTROYED":
            raise precondition(f"Secret Version [{version['name']}] is in DESTROYED state.")
        changed = {**version, **more, "state": state, "etag": _etag(call)}
        if state == "ENABLED":
            changed.pop("scheduledDestroyTime", None)
        if state == "DESTROYED":
            _payloads(call).delete_under(key)
            return _destroyed(changed, call.now)
        return changed

    return call.store.update(key, change)


def _secret(call: Call) -> Resource:
    key = secret_name(call).partition("/versions/")[0]
    found = _living(call, key)
    if found is None:
        raise not_found(f"Secret [{call.cloud.by_number(key)}] not found.")
    return found


def _living(call: Call, key: str) -> Resource | None:
    """Return a secret unless its time is over; then it is removed now that somebody looks."""
    found = call.store.find(key)
    if found is None or not rules.over(found, call.cloud.clock.now()):
        return found
    _remove(call, key)
    return None


def _version(call: Call) -> tuple[str, Resource]:
    secret, _, number = secret_name(call).partition("/versions/")
    aliases = _secret(call).get("versionAliases", {})
    number = str(aliases.get(number, number))
    if number == "latest":
        every = call.store.children(secret + "/versions/")
        if every:
            number = every[-1]["name"].rpartition("/")[2]
    key = f"{secret}/versions/{number}"
    found = call.store.find(key)
    if found is None:
        shown = call.cloud.by_number(key)
        raise not_found(f"Secret Version [{shown}] not found.")
    return key, _destroy_if_due(call, key, found)


def _replication_status(replication: Resource) -> Resource:
    if "automatic" in replication:
        return {"automatic": {}}
    replicas = replication["userManaged"]["replicas"]
    return {"userManaged": {"replicas": [{"location": item["location"]} for item in replicas]}}


def _check_etag(sent: str | None, current: Resource) -> None:
    if sent and sent != current["etag"]:
        raise precondition(
            f"The etag provided [{sent}] does not match the current etag [{current['etag']}]."
        )


def _etag(call: Call) -> str:
    return f'"{call.store.next_number("etag"):012x}"'


def _crc32c(data: bytes) -> int:
    return int(google_crc32c.value(data))


class _Payloads:
    """Payloads are kept apart from versions, so no listing can ever show one."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection

    def write(self, name: str, data: bytes) -> None:
        self.collection.put(name, {"data": base64.b64encode(data).decode()})

    def read(self, name: str) -> bytes:
        return base64.b64decode(self.collection.fetch(name)["data"])

    def delete_under(self, name: str) -> None:
        for found, _ in [*self.collection.under(name + "/"), (name, None)]:
            if self.collection.find(found) is not None:
                self.collection.delete(found)


def _payloads(call: Call) -> _Payloads:
    return _Payloads(call.cloud.store.of("secretmanager.payloads"))


_POLICY_HANDLERS, _POLICY_PERMISSIONS = iam_methods(
    "secretmanager.projects.secrets", permission="secretmanager.secrets", exists=_secret
)


def _parent(call: Call) -> str:
    return call.cloud.by_id(call["parent"])


_HANDLERS: dict[str, Any] = {
    "create": create,
    "get": get,
    "list": list_secrets,
    "patch": patch,
    "delete": delete,
    "addVersion": add_version,
    "versions.access": access,
    "versions.get": get_version,
    "versions.list": list_versions,
    "versions.disable": disable,
    "versions.enable": enable,
    "versions.destroy": destroy,
}
_PERMISSIONS: dict[str, str | Needs] = {
    "create": Needs("secretmanager.secrets.create", resource=_parent),
    "get": "secretmanager.secrets.get",
    "list": Needs("secretmanager.secrets.list", resource=_parent),
    "patch": "secretmanager.secrets.update",
    "delete": "secretmanager.secrets.delete",
    "addVersion": "secretmanager.versions.add",
    "versions.access": "secretmanager.versions.access",
    "versions.get": "secretmanager.versions.get",
    "versions.list": "secretmanager.versions.list",
    "versions.disable": "secretmanager.versions.disable",
    "versions.enable": "secretmanager.versions.enable",
    "versions.destroy": "secretmanager.versions.destroy",
}
_PREFIX = "secretmanager.projects.secrets."

SERVICE = Service(
    "secretmanager",
    "v1",
    {**{_PREFIX + name: handler for name, handler in _HANDLERS.items()}, **_POLICY_HANDLERS},
    protos=Protos("google.cloud.secretmanager.v1", "google.cloud.secretmanager_v1"),
    permissions={
        **{_PREFIX + name: needs for name, needs in _PERMISSIONS.items()},
        **_POLICY_PERMISSIONS,
    },
    required={
        _PREFIX + "create": ("replication",),
        _PREFIX + "addVersion": ("payload", "payload.data"),
    },
    resource=secret_name,
)
