"""Backups: dumps of every database and user, as records of the project that instances show as theirs.

One record serves both faces: ``Backups`` of the project (project_backups.py), and ``backupRuns`` of an
instance (backup_runs.py) as long as the instance is there. Final backups, and those of instances that
keep theirs, outlive it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin import contents, progress
from localcloud.services.sqladmin.names import ROOT, invalid_request, project, running

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

DAYS = 30
MOST_DAYS = 365
MOST_WORDS = 640
UNKNOWN = "The Cloud SQL backup run does not exist."
CONTEXT = "sql#backupContext"


def begin(call: Call) -> Resource:
    """Back the instance of the call up now."""
    found = running(call)
    number, record, work = begun(call, found, "ON_DEMAND", call.body)
    fields = {"backupContext": {"kind": CONTEXT, "backupId": number, "name": name_of(call, number)}}
    return progress.begin(call, "BACKUP_VOLUME", work, fields=fields, begun=record)


def make_final(call: Call, found: Resource) -> None:
    """Back up an instance that is about to be deleted; such a backup outlives it."""
    wanted: Resource = {"description": call.get("finalBackupDescription", "")}
    if call.get("finalBackupExpiryTime"):
        wanted["expiryTime"] = call["finalBackupExpiryTime"]
    else:
        kept = found["settings"].get("finalBackupConfig", {}).get("retentionDays", DAYS)
        wanted["ttlDays"] = str(call.get("finalBackupTtlDays") or kept)
    _, record, work = begun(call, found, "FINAL", wanted)
    record()
    work()


def check_final(call: Call) -> None:
    """Refuse a final backup that could not be kept as asked."""
    days = call.get("finalBackupTtlDays")
    if days is not None:
        check({"ttlDays": str(days)})
    if days is not None and call.get("finalBackupExpiryTime"):
        raise invalid_request("finalBackupTtlDays and finalBackupExpiryTime cannot both be set.")


def part_with(call: Call, found: Resource) -> None:
    """Decide what happens to the backups of an instance that is being deleted."""
    keep = found["settings"].get("retainBackupsOnDelete", False)
    for one in every(call):
        if one["instance"] != found["name"] or "instanceDeletionTime" in one:
            continue
        if keep or one["type"] == "FINAL":
            call.store.put(one["name"], {**one, "instanceDeletionTime": call.now})
        else:
            removal(call, one)()


def usable(call: Call, name: str) -> Resource:
    """Return a backup that something can be restored from; 404 or 400 otherwise."""
    found = call.store.find(call.cloud.by_id(name))
    if found is None:
        raise ApiError(404, UNKNOWN, reason="backupRunDoesNotExist")
    if found["state"] != "SUCCESSFUL":
        raise invalid_request(f"the backup {number_of(found)} is {found['state']}.")
    return found


def named(call: Call, source: str, number: str) -> str:
    """Return the full name of a backup run of an instance, 404 if it is of another."""
    found = call.store.find(name_of(call, number))
    if found is None or found["instance"] != source:
        raise ApiError(404, UNKNOWN, reason="backupRunDoesNotExist")
    return str(found["name"])


def begun(
    call: Call, found: Resource, kind: str, body: Resource
) -> tuple[str, Callable[[], None], Callable[[], None]]:
    """Return the number of a new backup, how to record it, and how to make it."""
    check(body)
    number = str(1_700_000_000_000 + call.store.next_number("backupRuns"))
    name, key = name_of(call, number), f"{project(call)}/instances/{found['name']}"
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
        fresh["expiryTime"] = later(call, int(body["ttlDays"]))
    elif body.get("expiryTime"):
        fresh["expiryTime"] = body["expiryTime"]

    def record() -> None:
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

    return number, record, work


def check(body: Resource) -> None:
    """Refuse descriptions and lifetimes that no backup has."""
    if len(body.get("description") or "") > MOST_WORDS:
        raise invalid_request(f"the description is longer than {MOST_WORDS} characters.")
    days = body.get("ttlDays")
    if days is not None and not 1 <= int(days) <= MOST_DAYS:
        raise invalid_request(f"the retention of a backup must be 1 to {MOST_DAYS} days.")


def later(call: Call, days: int) -> str:
    """Return the moment so many days from now."""
    end = datetime.fromtimestamp(call.cloud.clock.now(), UTC) + timedelta(days=days)
    return end.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def removal(call: Call, backup: Resource) -> Callable[[], None]:
    """Return the work of deleting a backup with its files."""

    def work() -> None:
        contents.forget(call.cloud, number_of(backup))
        call.store.delete(backup["name"])

    return work


def every(call: Call) -> list[Resource]:
    """Return all backups; those past their end are gone."""
    kept = []
    for one in call.store.children(f"{project(call)}/backups/"):
        if one.get("expiryTime", "9") <= call.now:
            removal(call, one)()
        else:
            kept.append(one)
    return kept


def number_of(backup: Resource) -> str:
    """Return the number of a backup, under which its files lie."""
    return str(backup["name"]).rpartition("/")[2]


def name_of(call: Call, number: str) -> str:
    """Return the resource name of a backup."""
    return f"{project(call)}/backups/{number}"
