"""Versions of a secret: added, read, disabled and destroyed."""

from __future__ import annotations

import base64

import google_crc32c

from localcloud.errors import invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.service import Call, Resource, page
from localcloud.services.secretmanager import rules, secrets
from localcloud.services.secretmanager.payloads import Payloads

MOST_BYTES = 65536


def add_version(call: Call) -> Resource:
    """Store a payload under the next number; a wrong checksum is refused."""
    secret = secrets.find(call)
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
    key = secrets.secret_name(call)
    with call.store.lock():
        number = call.store.next_number(key + "#" + secret["createTime"])
        version = {
            "name": f"{secret['name']}/versions/{number}",
            "createTime": call.now,
            "state": "ENABLED",
            "etag": secrets.new_etag(call),
            "clientSpecifiedPayloadChecksum": sent is not None,
            "replicationStatus": _replication_status(secret["replication"]),
        }
        Payloads(call.cloud.store).write(f"{key}/versions/{number}", data)
        return call.store.create(f"{key}/versions/{number}", version)


def access(call: Call) -> Resource:
    """Give the payload of an enabled version."""
    key, version = _version(call)
    if version["state"] != "ENABLED":
        raise precondition(f"Secret Version [{version['name']}] is in {version['state']} state.")
    data = Payloads(call.cloud.store).read(key)
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
    secrets.find(call)
    found = [version for _, version in call.store.under(secrets.secret_name(call) + "/versions/")]
    for version in found:
        _destroy_if_due(call, call.cloud.by_id(version["name"]), version)
    found = list(reversed(call.store.children(secrets.secret_name(call) + "/versions/")))
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
    Payloads(call.cloud.store).delete_under(key)
    return call.store.update(
        key,
        lambda found: _destroyed({**found, "state": "DESTROYED"}, version["scheduledDestroyTime"]),
    )


def _destroyed(version: Resource, when: str) -> Resource:
    version.pop("scheduledDestroyTime", None)
    return {**version, "destroyTime": when}


def _change_state(call: Call, state: str, **more: str) -> Resource:
    key, current = _version(call)
    secrets.check_etag(call.body.get("etag"), current)

    def change(version: Resource) -> Resource:
        if version["state"] == "DESTROYED" and state != "DESTROYED":
            raise precondition(f"Secret Version [{version['name']}] is in DESTROYED state.")
        changed = {**version, **more, "state": state, "etag": secrets.new_etag(call)}
        if state == "ENABLED":
            changed.pop("scheduledDestroyTime", None)
        if state == "DESTROYED":
            Payloads(call.cloud.store).delete_under(key)
            return _destroyed(changed, call.now)
        return changed

    return call.store.update(key, change)


def _version(call: Call) -> tuple[str, Resource]:
    secret, _, number = secrets.secret_name(call).partition("/versions/")
    aliases = secrets.find(call).get("versionAliases", {})
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


def _crc32c(data: bytes) -> int:
    return int(google_crc32c.value(data))
