"""Instance: a Cloud SQL instance of the deployment's own, and how to speak of either kind."""

from typing import Any

from planner import engine, marks, private_access
from planner.sizes import shape
from planner.target import Target, escaped
from schemas.plan import Check, Demand, Operations, Request, Resource, Step

BACKUPS_KEPT = 7
FINAL_BACKUP_DAYS = 30


def url(target: Target) -> str:
    """Return the address of the instance that the deployment's database lies on."""
    return (
        f"https://sqladmin.googleapis.com/v1/projects/{target.project}/instances/{target.instance}"
    )


def operations(target: Target) -> Operations:
    """Return how Cloud SQL's operations are polled."""
    return Operations(
        base=f"https://sqladmin.googleapis.com/v1/projects/{target.project}/operations/",
        dialect="status",
    )


def steps(target: Target) -> tuple[Step, ...]:
    """Return the instance and the database user that the credentials function logs in as."""
    return _instance(target), _credentials_user(target)


def _settings(target: Target) -> dict[str, Any]:
    size = shape(target.request)
    return {
        "tier": size.tier,
        # Without it the API takes ENTERPRISE_PLUS for PostgreSQL 16 and later, and refuses the tier.
        "edition": "ENTERPRISE",
        "availabilityType": "REGIONAL" if target.request.highly_available else "ZONAL",
        "activationPolicy": "ALWAYS",
        "dataDiskType": "PD_SSD",
        "storageAutoResize": True,
        "storageAutoResizeLimit": str(size.disk_limit_gb),
        # Only through connectors, which check IAM and bring their own certificate.
        "connectorEnforcement": "REQUIRED",
        "ipConfiguration": _addresses(target),
        # The credentials function sets the user's rights through executeSql, as an IAM user.
        "dataApiAccess": "ALLOW_DATA_API",
        "databaseFlags": [{"name": engine.of(target).iam_flag, "value": "on"}],
        "backupConfiguration": {
            "enabled": True,
            "startTime": "02:00",
            **engine.of(target).recovery,
            "backupRetentionSettings": {
                "retentionUnit": "COUNT",
                "retainedBackups": BACKUPS_KEPT,
            },
        },
        "maintenanceWindow": {"day": 7, "hour": 3, "updateTrack": "stable"},
        "insightsConfig": {"queryInsightsEnabled": True},
        "deletionProtectionEnabled": True,
        "retainBackupsOnDelete": True,
        "finalBackupConfig": {"enabled": True, "retentionDays": FINAL_BACKUP_DAYS},
    }


def _addresses(target: Target) -> dict[str, Any]:
    network = target.request.network
    if network is None:
        # Connectors come to the public address; without authorised networks nobody else does.
        return {"ipv4Enabled": True, "sslMode": "ENCRYPTED_ONLY", "authorizedNetworks": []}
    return {
        "ipv4Enabled": False,
        "privateNetwork": private_access.link(target, network),
        "sslMode": "ENCRYPTED_ONLY",
    }


def _demands(target: Target) -> tuple[Demand, ...]:
    """Return what an instance that is there must show, since nothing can change it."""
    wanted = {"region": target.region, "databaseVersion": engine.of(target).version(target)}
    return tuple(
        Demand(
            path=(field,),
            value=value,
            otherwise=f"it has {field} <found>, and the request asks for {value}, which cannot be "
            "changed. Ask for what it has, or POST a deployment with another name",
        )
        for field, value in wanted.items()
    )


def _instance(target: Target) -> Resource:
    settings = _settings(target)
    fixed: dict[str, Any] = {
        "name": target.instance,
        "region": target.region,
        "databaseVersion": engine.of(target).version(target),
    }
    # A disk only grows, and grows by itself: sent when it is made, never patched back.
    disk = {"dataDiskSizeGb": str(shape(target.request).disk_gb)}
    labels = marks.labels(target, {**fixed, "settings": settings})
    changeable = {**settings, "userLabels": labels}
    at = ("settings", "userLabels")
    return Resource(
        name="instance",
        title=f"Cloud SQL instance {target.instance}",
        url=url(target),
        mark=marks.owned(target, *at),
        demands=_demands(target),
        digest=marks.unchanged(labels, *at),
        create=Request(
            method="POST",
            url=f"https://sqladmin.googleapis.com/v1/projects/{target.project}/instances",
            body={**fixed, "settings": {**changeable, **disk}},
        ),
        update=Request(method="PATCH", url=url(target), body={"settings": changeable}),
        operation=operations(target),
        ready=Check(path=("state",), value="RUNNABLE"),
        failed=(
            Check(path=("state",), value="FAILED"),
            Check(path=("state",), value="SUSPENDED"),
        ),
        remove=(
            Request(
                method="PATCH",
                url=url(target),
                body={"settings": {"deletionProtectionEnabled": False, "edition": "ENTERPRISE"}},
            ),
            Request(method="DELETE", url=url(target)),
        ),
    )


def _credentials_user(target: Target) -> Resource:
    inserted, name = engine.of(target).iam_user(target.platform.accounts.credentials)
    return Resource(
        name="credentials_user",
        title=f"database user {name} on {target.instance}",
        url=user_url(target, name),
        create=Request(
            method="POST",
            url=f"{url(target)}/users",
            body={
                "name": inserted,
                "type": "CLOUD_IAM_SERVICE_ACCOUNT",
                "databaseRoles": ["cloudsqlsuperuser"],
            },
        ),
        operation=operations(target),
        within="instance",
    )


def user_url(target: Target, name: str) -> str:
    """Return where GET shows a database user."""
    query = engine.of(target).host
    return f"{url(target)}/users/{escaped(name)}" + (f"?{query}" if query else "")
