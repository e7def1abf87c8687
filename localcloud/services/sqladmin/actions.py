"""What is done to whole instances: restore, clone, failover; and what only other kinds can do."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin import backups, contents, instances, progress, tiers
from localcloud.services.sqladmin.names import (
    instance,
    instance_key,
    invalid_request,
    machine,
    project,
    running,
)

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

POINTS_IN_TIME = ("pointInTime", "pitrTimestampMs", "binLogCoordinates")
SOURCES = ("backup", "restoreBackupContext", "backupdrBackup")


def restore_backup(call: Call) -> Resource:
    """Replace what is in an instance by a backup, or make a new instance of one."""
    sources = [field for field in SOURCES if field in call.body]
    if len(sources) != 1:
        raise invalid_request(f"exactly one of {', '.join(SOURCES)} is required.", "required")
    if sources == ["backupdrBackup"]:
        raise ApiError(501, "The local cloud has no Backup and DR service (backupdrBackup).")
    backup = backups.usable(call, _source(call))
    if sources == ["backup"] and call.store.find(instance_key(call)) is None:
        return _restore_new(call, backup)
    found, number = running(call), backups.number_of(backup)
    if found["databaseVersion"] != backup["databaseVersion"]:
        raise invalid_request(
            f"the backup is of {backup['databaseVersion']} and cannot be restored to an instance "
            f"of {found['databaseVersion']}."
        )
    if _disk(found) < _disk(backup["instanceSettings"]):
        raise invalid_request("the disk of the instance is smaller than that of the backup.")
    key = instance_key(call)
    return progress.begin(call, "RESTORE_VOLUME", lambda: contents.restore(call.cloud, key, number))


def clone(call: Call) -> Resource:
    """Make a second instance of everything in a first."""
    found, context = running(call), call.body["cloneContext"]
    name = context["destinationInstanceName"]
    for field in POINTS_IN_TIME:
        if field in context:
            _refuse_time(found, f"cloneContext.{field}")
    if context.get("databaseNames"):
        raise invalid_request("databaseNames is only for SQL Server instances.")
    other = context.get("destinationProject", call.cloud.project)
    if other not in {call.cloud.project, call.cloud.number}:
        raise ApiError(501, "The local cloud has one project: no cloneContext.destinationProject.")
    call.require("cloudsql.instances.create", project(call))
    key, target = instance_key(call), f"{project(call)}/instances/{name}"
    return instances.made(
        call,
        {**_blueprint(found), "name": name},
        kind="CLONE",
        fill=lambda: contents.copy(call.cloud, key, target),
        also=key,
    )


def failover(call: Call) -> Resource:
    """Move a regional instance to its other zone: connections are cut, nothing is lost."""
    found = running(call)
    settings = found["settings"]
    sent = call.body.get("failoverContext", {}).get("settingsVersion")
    if sent is not None and str(sent) != settings["settingsVersion"]:
        raise instances.stale(sent, settings["settingsVersion"])
    if settings["availabilityType"] != "REGIONAL":
        raise invalid_request("only an instance with availabilityType REGIONAL can fail over.")
    options = tiers.server_options(found)

    def work() -> None:
        machine(call).configure(found["connectionName"], options)
        call.store.update(instance_key(call), _other_zone)

    return progress.begin(call, "FAILOVER", work)


def point_in_time_restore(call: Call) -> Resource:
    """Refuse: there are no logs to bring an instance to a moment."""
    call.params["project"] = str(call["parent"]).split("/")[1]
    raise ApiError(501, "The local cloud keeps no logs: it cannot restore to a pointInTime.")


def latest_recovery_time(call: Call) -> Resource:
    """Refuse likewise."""
    _refuse_time(instance(call), "getLatestRecoveryTime")
    return {}


def _source(call: Call) -> str:
    if "backup" in call.body:
        return str(call.body["backup"])
    context = call.body["restoreBackupContext"]
    if not context.get("backupRunId"):
        raise invalid_request("backupRunId is required.", "required")
    own = context.get("project", call.cloud.project)
    if own not in {call.cloud.project, call.cloud.number}:
        raise ApiError(501, "The local cloud has one project: no restoreBackupContext.project.")
    source = context.get("instanceId") or call["instance"]
    return backups.named(call, source, str(context["backupRunId"]))


def _restore_new(call: Call, backup: Resource) -> Resource:
    call.require("cloudsql.instances.create", project(call))
    sent = deepcopy(call.body.get("restoreInstanceSettings", {}))
    kept = deepcopy(backup["instanceSettings"])
    for field in call.body.get("restoreInstanceClearOverridesFieldNames", []):
        kept["settings"].pop(field.removeprefix("settings."), None)
    settings = {**kept["settings"], **sent.pop("settings", {})}
    body = {**_blueprint({**kept, **sent, "settings": settings}), "name": call["instance"]}
    if body["databaseVersion"] != backup["databaseVersion"]:
        raise invalid_request("a backup is restored to the version it was made of.")
    key, number = instance_key(call), backups.number_of(backup)
    return instances.made(
        call,
        body,
        kind="RESTORE_VOLUME",
        fill=lambda: contents.restore(call.cloud, key, number),
    )


def _blueprint(found: Resource) -> Resource:
    """Return the body that would make an instance like this."""
    return deepcopy({field: found[field] for field in ("region", "databaseVersion", "settings")})


def _refuse_time(found: Resource, field: str) -> None:
    backup = found["settings"].get("backupConfiguration", {})
    if not (backup.get("pointInTimeRecoveryEnabled") or backup.get("binaryLogEnabled")):
        raise invalid_request("point-in-time recovery is not enabled on the instance.")
    raise ApiError(501, f"The local cloud keeps no logs to recover from: no {field}.")


def _disk(found: Resource) -> int:
    return int(found["settings"]["dataDiskSizeGb"])


def _other_zone(found: Resource) -> Resource:
    zone, second = found["gceZone"], f"{found['region']}-c"
    return {
        **found,
        "gceZone": found.get("secondaryGceZone", second),
        "secondaryGceZone": zone,
    }
