"""What Cloud SQL checks before it accepts an instance, in the words it uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud import labels
from localcloud.errors import ApiError
from localcloud.services.sqladmin import flags, passwords, tiers
from localcloud.services.sqladmin.engines import kind
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

NAME = re.compile(r"[a-z]([a-z0-9-]{0,96}[a-z0-9])?")
REGION = re.compile(r"[a-z]+-[a-z]+\d+")
LONGEST_NAME = 98
LEAST_DISK = 10
LOG_DAYS = {"ENTERPRISE": 7, "ENTERPRISE_PLUS": 35}

# Fields of the document that would change what the instance is and that are not built.
NOT_BUILT = (
    "masterInstanceName",
    "replicaConfiguration",
    "onPremisesConfiguration",
    "failoverReplica",
    "replicationCluster",
    "diskEncryptionConfiguration",
    "nodeCount",
)


# Fields that say what an instance is and that nobody sets.
DECIDED = (
    *("kind", "selfLink", "etag", "project", "state", "createTime", "backendType"),
    *("connectionName", "ipAddresses", "serverCaCert", "serviceAccountEmailAddress"),
    *("databaseInstalledVersion", "gceZone", "instanceType"),
)


def check_new(call: Call, body: Resource) -> None:
    """Check what only a new instance can get wrong."""
    name, version = body["name"], body["databaseVersion"]
    if not NAME.fullmatch(name):
        raise invalid_request(
            f"instance name ({name}) must consist of lower case letters, numbers and hyphens, "
            "start with a letter and not end with a hyphen.",
            reason="invalidInstanceName",
        )
    if len(f"{call.cloud.project}:{name}") > LONGEST_NAME:
        raise invalid_request(
            f"the project and instance name together exceed {LONGEST_NAME} characters.",
            reason="invalidInstanceName",
        )
    if not REGION.fullmatch(body.get("region", "us-central1")):
        raise invalid_request(f"Invalid region ({body['region']}).")
    for field in NOT_BUILT:
        if field in body:
            raise ApiError(501, f"The local cloud has no instances with {field}.")
    refusal = call.cloud.machines.databases.refusal(version)
    if refusal is not None:
        raise invalid_request(f"Invalid database version ({version}): {refusal}.")


def check_settings(settings: Resource, version: str) -> None:
    """Check settings of an instance of this version as they would become."""
    edition = settings["edition"]
    tiers.check_tier(settings["tier"], edition, version)
    flags.check(settings.get("databaseFlags", []), version)
    passwords.check_policy(settings)
    if settings["activationPolicy"] not in {"ALWAYS", "NEVER"}:
        raise invalid_request(f"Invalid activation policy ({settings['activationPolicy']}).")
    if int(settings["dataDiskSizeGb"]) < LEAST_DISK:
        raise invalid_request(f"The disk size must be at least {LEAST_DISK} GB.")
    _check_backups(settings, edition, mysql=kind(version) == "MYSQL")
    _check_network(settings.get("ipConfiguration", {}))
    unfit = labels.unfit(settings.get("userLabels", {}))
    if unfit is not None:
        raise invalid_request(f"Invalid user label ({unfit[0]}: {unfit[1]}).")


def _check_backups(settings: Resource, edition: str, *, mysql: bool) -> None:
    backups = settings.get("backupConfiguration", {})
    days, most = backups.get("transactionLogRetentionDays"), LOG_DAYS[edition]
    if days is not None and not 1 <= days <= most:
        raise invalid_request(
            f"The number of transaction log retention days must be between 1 and {most}"
        )
    if backups.get("pointInTimeRecoveryEnabled") and not backups.get("enabled"):
        raise invalid_request("Point-in-time recovery requires that backups are enabled.")
    if not mysql and backups.get("binaryLogEnabled"):
        raise invalid_request("Binary log can only be enabled for MySQL instances.")
    if not mysql:
        return
    if backups.get("pointInTimeRecoveryEnabled"):
        raise invalid_request(
            "Point-in-time recovery of MySQL instances is enabled by binaryLogEnabled."
        )
    if backups.get("binaryLogEnabled") and not backups.get("enabled"):
        raise invalid_request("Binary log can only be enabled when backup is enabled.")
    if settings.get("availabilityType") == "REGIONAL" and not backups.get("binaryLogEnabled"):
        raise invalid_request(
            "Regional availability of MySQL instances requires automatic backups and binary logs."
        )


def _check_network(addresses: Resource) -> None:
    if not addresses.get("ipv4Enabled", True) and not addresses.get("privateNetwork"):
        raise invalid_request(
            "At least one of Public IP or Private IP or PSC connectivity must be enabled."
        )


def with_decided(before: Resource, after: Resource) -> Resource:
    """Keep what Cloud SQL decides, whatever a request says it should become."""
    kept = {field: before[field] for field in DECIDED if field in before}
    return {**{field: value for field, value in after.items() if field not in DECIDED}, **kept}


def check_change(before: Resource, after: Resource) -> None:
    """Check what cannot be changed any more."""
    for field in ("name", "region", "databaseVersion", "maintenanceVersion"):
        if after.get(field, before[field]) != before[field]:
            raise invalid_request(f"{field} of an instance cannot be changed here.")
    old, new = before["settings"], after["settings"]
    if int(new["dataDiskSizeGb"]) < int(old["dataDiskSizeGb"]):
        raise invalid_request("Disk size cannot be decreased.")
    if new["edition"] != old["edition"]:
        raise ApiError(501, "The local cloud cannot change the edition of an instance.")
