"""Secrets: made, listed, changed and removed; one whose time is over goes when anybody looks."""

from __future__ import annotations

import re

from localcloud.errors import already_exists, invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import Call, Resource, page
from localcloud.services.secretmanager import rules
from localcloud.services.secretmanager.payloads import Payloads

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
        secret = {**sent, "name": name, "createTime": call.now, "etag": new_etag(call)}
        return call.store.create(key, secret)


def get(call: Call) -> Resource:
    """Show a secret, never its payload."""
    return find(call)


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
    check_etag(call.body.get("etag"), find(call))

    def change(secret: Resource) -> Resource:
        changed = merged(secret, call.body, mask)
        if "ttl" in mask and "ttl" not in call.body:
            changed.pop("expireTime", None)
        settled = rules.settled(changed, mask, call.cloud.clock.now())
        return {**settled, "etag": new_etag(call)}

    return call.store.update(secret_name(call), change)


def delete(call: Call) -> None:
    """Remove a secret with its versions and its policy."""
    check_etag(call.get("etag"), find(call))
    _remove(call, secret_name(call))


def find(call: Call) -> Resource:
    """Return the secret a call is about; 404 when there is none, or no longer."""
    key = secret_name(call).partition("/versions/")[0]
    found = _living(call, key)
    if found is None:
        raise not_found(f"Secret [{call.cloud.by_number(key)}] not found.")
    return found


def check_etag(sent: str | None, current: Resource) -> None:
    """Refuse a change that was made with another state in mind."""
    if sent and sent != current["etag"]:
        raise precondition(
            f"The etag provided [{sent}] does not match the current etag [{current['etag']}]."
        )


def new_etag(call: Call) -> str:
    """Return an etag that nothing had before."""
    return f'"{call.store.next_number("etag"):012x}"'


def _remove(call: Call, key: str) -> None:
    with call.store.lock():
        call.store.delete_tree(key)
        Payloads(call.cloud.store).delete_under(key)
        call.cloud.iam.forget(f"//{call.service.host}/{key}")


def _living(call: Call, key: str) -> Resource | None:
    """Return a secret unless its time is over; then it is removed now that somebody looks."""
    found = call.store.find(key)
    if found is None or not rules.over(found, call.cloud.clock.now()):
        return found
    _remove(call, key)
    return None
