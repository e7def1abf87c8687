"""Backups: a dump of every database and user, kept by the project and shown by its instance.

One record serves both faces: ``Backups`` of the project, and ``backupRuns`` of an instance as long as
the instance is there. Final backups, and those of instances that keep theirs, outlive it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.sqladmin import contents, progress
from localcloud.services.sqladmin.names import (
    ROOT,
    instance,
    invalid_request,
    project,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

DAYS = 30
MOST_DAYS = 365
MOST_WORDS = 640
UNKNOWN = "The Cloud SQL backup run does not exist."
CHANGEABLE = {"description", "ttlDays", "expiryTime"}
CONTEXT = "sql#backupContext"


# -- of an instance ---------------------------------------------------------------------------


def insert_run(call: Call) -> Resource:
    """Back an instance up now."""
    found = running(call)
    number, begun, work = _begun(call, found, "ON_DEMAND", call.body)
    fields = {"backupContext": {"kind": CONTEXT, "backupId": number, "name": _name(call, number)}}
    return progress.begin(call, "BACKUP_VOLUME", work, fields=fields, begun=begun)


def get_run(call: Call) -> Resource:
    """Show a backup run."""
    return _as_run(_run(call))


def list_runs(call: Call) -> Resource:
    """List the backup runs of an instance, newest first."""
    found = instance(call)
    runs = [_as_run(one) for one in reversed(_all(call)) if _belongs(one, found)]
    return {"kind": "sql#backupRunsList", **page(call, runs, "items", size_param="maxResults")}


def delete_run(call: Call) -> Resource:
    """Delete a backup run with its files."""
    return progress.begin(call, "DELETE_BACKUP", _removal(call, _run(call)))


# -- of the project ---------------------------------------------------------------------------


def create(call: Call) -> Resource:
    """Back up the instance that the body names."""
    name = str(call.body["instance"]).rpartition("/")[2]
    call.params |= {"project": _project(call), "instance": name}
    if "expiryTime" in call.body and "ttlDays" in call.body:
        raise invalid_request("ttlDays and expiryTime cannot both be set.")
    return insert_run(call)


def get(call: Call) -> Resource:
    """Show a backup."""
    return _existing(call)


def list_all(call: Call) -> Resource:
    """List the backups of the project, newest first."""
    call.params["project"] = _project(call)
    kept = filtered(list(reversed(_all(call))), call.get("filter"))
    return page(call, kept, "backups")


def update(call: Call) -> Resource:
    """Change description and end of life."""
    before = _existing(call)
    mask = call.mask() or [field for field in call.body if field in CHANGEABLE]
    for field in mask:
        if field not in CHANGEABLE:
            raise invalid_request(f"{field} of a backup cannot be changed.")
    after = merged(before, call.body, mask)
    _check(after)
    if "ttlDays" in mask and "ttlDays" in call.body:
        after["expiryTime"] = _later(call, int(call.body["ttlDays"]))
    after.pop("ttlDays", None)
    return _on_source(call, before, "UPDATE_BACKUP", lambda: call.store.put(before["name"], after))


def delete(call: Call) -> Resource:
    """Delete a backup with its files."""
    found = _existing(call)
    return _on_source(call, found, "DELETE_BACKUP", _removal(call, found))


# -- for others -------------------------------------------------------------------------------


def make_final(call: Call, found: Resource) -> None:
    """Back up an instance that is about to be deleted; such a backup outlives it."""
    days = call.get("finalBackupTtlDays") or found["settings"].get("finalBackupConfig", {}).get(
        "retentionDays", DAYS
    )
    body = {"description": call.get("finalBackupDescription", ""), "ttlDays": str(days)}
    _, begun, work = _begun(call, found, "FINAL", body)
    begun()
    work()


def check_final(call: Call) -> None:
    """Refuse a final backup that could not be kept as asked."""
    days = call.get("finalBackupTtlDays")
    if days is not None:
        _check({"ttlDays": str(days)})
    if call.get("finalBackupTtlDays") is not None and call.get("finalBackupExpiryTime"):
        raise invalid_request("finalBackupTtlDays and finalBackupExpiryTime cannot both be set.")


def part_with(call: Call, found: Resource) -> None:
    """Decide what happens to the backups of an instance that is being deleted."""
    keep = found["settings"].get("retainBackupsOnDelete", False)
    for one in _all(call):
        if one["instance"] != found["name"] or "instanceDeletionTime" in one:
            continue
        if keep or one["type"] == "FINAL":
            call.store.put(one["name"], {**one, "instanceDeletionTime": call.now})
        else:
            _removal(call, one)()


def usable(call: Call, name: str) -> Resource:
    """Return a backup that something can be restored from; 404 or 400 otherwise."""
    found = call.store.find(call.cloud.by_id(name))
    if found is None:
        raise ApiError(404, UNKNOWN, reason="backupRunDoesNotExist")
    if found["state"] != "SUCCESSFUL":
        raise invalid_request(f"the backup {number_of(found)} is {found['state']}.")
    return found


def number_of(backup: Resource) -> str:
    """Return the number of a backup, under which its files lie."""
    return str(backup["name"]).rpartition("/")[2]


def named(call: Call, source: str, number: str) -> str:
    """Return the full name of a backup run of an instance, 404 if it is of another."""
    found = call.store.find(_name(call, number))
    if found is None or found["instance"] != source:
        raise ApiError(404, UNKNOWN, reason="backupRunDoesNotExist")
    return str(found["name"])


def _begun(
    call: Call, found: Resource, kind: str, body: Resource
) -> tuple[str, Callable[[], None], Callable[[], None]]:
    """Return the number of a new backup, how to record it, and how to make it."""
    _check(body)
    number = str(1_700_000_000_000 + call.store.next_number("backupRuns"))
    name, key = _name(call, number), f"{project(call)}/instances/{found['name']}"
    fresh = {
        "name": name,
        "kind": "sql#backup",
        "selfLink": f"{ROOT}/{name}",
        "type": kind,
        "state": "RUNNING",
        "instance": found["name"],
        "location": body.get("location", found["region"]),
        "description": body.get("description", ""),
        "databaseVersion": found["databaseVersion"],
        "backupKind": "SNAPSHOT",
        "backupRun": f"{key}/backupRuns/{number}",
        "backupInterval": {"startTime": call.now},
        "instanceSettings": {
            field: found[field] for field in ("name", "region", "databaseVersion", "settings")
        },
    }
    if body.get("ttlDays"):
        fresh["expiryTime"] = _later(call, int(body["ttlDays"]))
    elif body.get("expiryTime"):
        fresh["expiryTime"] = body["expiryTime"]

    def begun() -> None:
        call.store.put(name, fresh)

    def work() -> None:
        done = {**fresh, "state": "FAILED"}
        try:
            contents.dump(call.cloud, key, number)
            done["state"] = "SUCCESSFUL"
            done["maxChargeableBytes"] = str(contents.size(call.cloud, number))
        finally:
            end = call.cloud.clock.rfc3339()
            done["backupInterval"] = {**fresh["backupInterval"], "endTime": end}
            call.store.put(name, done)

    return number, begun, work


def _check(body: Resource) -> None:
    if len(body.get("description") or "") > MOST_WORDS:
        raise invalid_request(f"the description is longer than {MOST_WORDS} characters.")
    days = body.get("ttlDays")
    if days is not None and not 1 <= int(days) <= MOST_DAYS:
        raise invalid_request(f"the retention of a backup must be 1 to {MOST_DAYS} days.")


def _later(call: Call, days: int) -> str:
    end = datetime.fromtimestamp(call.cloud.clock.now(), UTC) + timedelta(days=days)
    return end.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _removal(call: Call, backup: Resource) -> Callable[[], None]:
    def work() -> None:
        contents.forget(call.cloud, number_of(backup))
        call.store.delete(backup["name"])

    return work


def _on_source(call: Call, backup: Resource, kind: str, work: Callable[[], object]) -> Resource:
    """Begin an operation on the instance a backup is of, whether or not it is there."""
    call.params["project"] = _project(call)
    return progress.begin(call, kind, work, instance=backup["instance"])


def _all(call: Call) -> list[Resource]:
    """Return all backups; those past their end are gone."""
    kept = []
    for one in call.store.children(f"{project(call)}/backups/"):
        if one.get("expiryTime", "9") <= call.now:
            _removal(call, one)()
        else:
            kept.append(one)
    return kept


def _belongs(backup: Resource, found: Resource) -> bool:
    return (
        backup["instance"] == found["name"]
        and backup["type"] != "FINAL"
        and "instanceDeletionTime" not in backup
    )


def _run(call: Call) -> Resource:
    found = instance(call)
    if not re.fullmatch(r"\d+", str(call["id"])):
        raise invalid_request(f"Invalid backup run id ({call['id']}).")
    backup = call.store.find(_name(call, str(call["id"])))
    if backup is None or not _belongs(backup, found):
        raise ApiError(404, UNKNOWN, reason="backupRunDoesNotExist")
    return backup


def _existing(call: Call) -> Resource:
    call.params["project"] = _project(call)
    wanted = call.cloud.by_id(call["name"])
    found = [one for one in _all(call) if one["name"] == wanted]
    if not found:
        raise ApiError(404, "The Cloud SQL backup does not exist.", reason="notFound")
    return found[0]


def _as_run(backup: Resource) -> Resource:
    number, interval = number_of(backup), backup["backupInterval"]
    run = {
        "kind": "sql#backupRun",
        "id": number,
        "instance": backup["instance"],
        "type": backup["type"],
        "backupKind": backup["backupKind"],
        "status": backup["state"],
        "databaseVersion": backup["databaseVersion"],
        "location": backup["location"],
        "description": backup["description"],
        "selfLink": f"{ROOT}/{backup['backupRun']}",
    }
    for field in ("windowStartTime", "enqueuedTime", "startTime"):
        run[field] = interval["startTime"]
    if "endTime" in interval:
        run["endTime"] = interval["endTime"]
    if "maxChargeableBytes" in backup:
        run["maxChargeableBytes"] = backup["maxChargeableBytes"]
    return run


def _name(call: Call, number: str) -> str:
    return f"{project(call)}/backups/{number}"


def _project(call: Call) -> str:
    return call.cloud.by_id(str(call.get("parent") or call.get("name"))).split("/")[1]
