"""Backup runs: the backups of an instance, as the instance shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.service import page
from localcloud.services.sqladmin import backups, progress
from localcloud.services.sqladmin.names import ROOT, instance, invalid_request

if TYPE_CHECKING:
    from localcloud.service import Call, Resource


def insert(call: Call) -> Resource:
    """Back an instance up now."""
    return backups.begin(call)


def get(call: Call) -> Resource:
    """Show a backup run."""
    return _as_run(_run(call))


def list_runs(call: Call) -> Resource:
    """List the backup runs of an instance, newest first."""
    found = instance(call)
    runs = [_as_run(one) for one in reversed(backups.every(call)) if _belongs(one, found)]
    return {"kind": "sql#backupRunsList", **page(call, runs, "items", size_param="maxResults")}


def delete(call: Call) -> Resource:
    """Delete a backup run with its files."""
    return progress.begin(call, "DELETE_BACKUP", backups.removal(call, _run(call)))


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
    backup = call.store.find(backups.name_of(call, str(call["id"])))
    if backup is None or not _belongs(backup, found):
        raise ApiError(404, backups.UNKNOWN, reason="backupRunDoesNotExist")
    return backup


def _as_run(backup: Resource) -> Resource:
    number, interval = backups.number_of(backup), backup["backupInterval"]
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
