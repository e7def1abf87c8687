"""The backups of the project, with those whose instance is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.sqladmin import backups, progress
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

CHANGEABLE = {"description", "ttlDays", "expiryTime"}


def create(call: Call) -> Resource:
    """Back up the instance that the body names."""
    name = str(call.body["instance"]).rpartition("/")[2]
    call.params |= {"project": _project(call), "instance": name}
    if "expiryTime" in call.body and "ttlDays" in call.body:
        raise invalid_request("ttlDays and expiryTime cannot both be set.")
    return backups.begin(call)


def get(call: Call) -> Resource:
    """Show a backup."""
    return _existing(call)


def list_all(call: Call) -> Resource:
    """List the backups of the project, newest first."""
    call.params["project"] = _project(call)
    kept = filtered(list(reversed(backups.every(call))), call.get("filter"))
    return page(call, kept, "backups")


def update(call: Call) -> Resource:
    """Change description and end of life."""
    before = _existing(call)
    mask = call.mask() or [field for field in call.body if field in CHANGEABLE]
    for field in mask:
        if field not in CHANGEABLE:
            raise invalid_request(f"{field} of a backup cannot be changed.")
    after = merged(before, call.body, mask)
    backups.check(after)
    if "ttlDays" in mask and "ttlDays" in call.body:
        after["expiryTime"] = backups.later(call, int(call.body["ttlDays"]))
    after.pop("ttlDays", None)
    return _on_source(call, before, "UPDATE_BACKUP", lambda: call.store.put(before["name"], after))


def delete(call: Call) -> Resource:
    """Delete a backup with its files."""
    found = _existing(call)
    return _on_source(call, found, "DELETE_BACKUP", backups.removal(call, found))


def _on_source(call: Call, backup: Resource, kind: str, work: Callable[[], object]) -> Resource:
    """Begin an operation on the instance a backup is of, whether or not it is there."""
    call.params["project"] = _project(call)
    return progress.begin(call, kind, work, instance=backup["instance"])


def _existing(call: Call) -> Resource:
    call.params["project"] = _project(call)
    wanted = call.cloud.by_id(call["name"])
    found = [one for one in backups.every(call) if one["name"] == wanted]
    if not found:
        raise ApiError(404, "The Cloud SQL backup does not exist.", reason="notFound")
    return found[0]


def _project(call: Call) -> str:
    return call.cloud.by_id(str(call.get("parent") or call.get("name"))).split("/")[1]
