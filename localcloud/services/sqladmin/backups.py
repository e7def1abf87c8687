"""Backups: a dump of every database, made with PostgreSQL's own pg_dump."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.service import page
from localcloud.services.sqladmin import progress
from localcloud.services.sqladmin.names import (
    ROOT,
    instance,
    instance_key,
    invalid_request,
    machine,
    project,
    running,
    server_says,
)

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource


def insert(call: Call) -> Resource:
    """Back an instance up now."""
    found = running(call)
    number = str(1_700_000_000_000 + call.store.next_number("backupRuns"))
    key = f"{instance_key(call)}/backupRuns/{number}"
    run = {
        "kind": "sql#backupRun",
        "id": number,
        "instance": found["name"],
        "type": "ON_DEMAND",
        "backupKind": "SNAPSHOT",
        "status": "RUNNING",
        "databaseVersion": found["databaseVersion"],
        "location": call.body.get("location", found["region"]),
        "description": call.body.get("description", ""),
        "windowStartTime": call.now,
        "enqueuedTime": call.now,
        "startTime": call.now,
        "selfLink": f"{ROOT}/{key}",
    }

    def work() -> None:
        call.store.put(key, run)
        status = "FAILED"
        try:
            with server_says("back up the instance"):
                machine(call).dump(found["connectionName"], folder(call.cloud, number))
            status = "SUCCESSFUL"
        finally:
            call.store.put(key, {**run, "status": status, "endTime": call.now})

    context = {"kind": "sql#backupContext", "backupId": number}
    return progress.begin(call, "BACKUP_VOLUME", work, fields={"backupContext": context})


def get(call: Call) -> Resource:
    """Show a backup run."""
    return _existing(call)


def list_runs(call: Call) -> Resource:
    """List the backup runs of an instance, newest first."""
    instance(call)
    found = list(reversed(call.store.children(f"{instance_key(call)}/backupRuns/")))
    return {"kind": "sql#backupRunsList", **page(call, found, "items", size_param="maxResults")}


def delete(call: Call) -> Resource:
    """Delete a backup run with its files."""
    run = _existing(call)

    def work() -> None:
        shutil.rmtree(folder(call.cloud, run["id"]), ignore_errors=True)
        call.store.delete(f"{instance_key(call)}/backupRuns/{run['id']}")

    return progress.begin(call, "DELETE_BACKUP", work)


def make_final(call: Call, found: Resource) -> None:
    """Back up an instance that is about to be deleted; such a backup outlives it."""
    number = str(1_700_000_000_000 + call.store.next_number("backupRuns"))
    with server_says("make the final backup"):
        machine(call).dump(found["connectionName"], folder(call.cloud, number))
    days = call.get("finalBackupTtlDays") or found["settings"].get("finalBackupConfig", {}).get(
        "retentionDays", 30
    )
    name = f"{project(call)}/backups/{number}"
    call.store.put(
        name,
        {
            "name": name,
            "kind": "sql#backup",
            "selfLink": f"{ROOT}/{name}",
            "type": "FINAL",
            "state": "SUCCESSFUL",
            "instance": f"{project(call)}/instances/{found['name']}",
            "location": found["region"],
            "description": call.get("finalBackupDescription", ""),
            "databaseVersion": found["databaseVersion"],
            "ttlDays": str(days),
        },
    )


def get_backup(call: Call) -> Resource:
    """Show a backup that outlived its instance."""
    found = call.store.find(call.cloud.by_id(call["name"]))
    if found is None:
        raise ApiError(404, "The Cloud SQL backup does not exist.", reason="notFound")
    return found


def list_backups(call: Call) -> Resource:
    """List the backups that outlived their instances."""
    found = call.store.children(f"{call.cloud.by_id(call['parent'])}/backups/")
    return page(call, list(reversed(found)), "backups")


def folder(cloud: Cloud, number: str) -> Path:
    """Return where the files of a backup lie."""
    return cloud.state / "backups" / number


def _existing(call: Call) -> Resource:
    instance(call)
    if not str(call["id"]).isdigit():
        raise invalid_request(f"Invalid backup run id ({call['id']}).")
    found = call.store.find(f"{instance_key(call)}/backupRuns/{call['id']}")
    if found is None:
        raise ApiError(
            404, "The Cloud SQL backup run does not exist.", reason="backupRunDoesNotExist"
        )
    return found
