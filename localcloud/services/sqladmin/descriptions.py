"""What Cloud SQL says about an instance beyond what was asked for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localcloud.services.sqladmin import private, tiers
from localcloud.services.sqladmin.connections.certificates import Certificates
from localcloud.services.sqladmin.engines import MAINTENANCE
from localcloud.services.sqladmin.names import ROOT, machine, project

if TYPE_CHECKING:
    from localcloud.service import Call, Resource


def with_defaults(settings: Resource, version: str) -> Resource:
    """Add what Cloud SQL adds to settings."""
    defaults: Resource = {
        "kind": "sql#settings",
        "edition": tiers.default_edition(version),
        "availabilityType": "ZONAL",
        "activationPolicy": "ALWAYS",
        "pricingPlan": "PER_USE",
        "replicationType": "SYNCHRONOUS",
        "dataDiskType": "PD_SSD",
        "dataDiskSizeGb": "10",
        "storageAutoResize": True,
        "storageAutoResizeLimit": "0",
        "connectorEnforcement": "NOT_REQUIRED",
        "dataApiAccess": "DISALLOW_DATA_API",
        "deletionProtectionEnabled": False,
        "authorizedGaeApplications": [],
    }
    whole = {**defaults, **settings}
    whole["settingsVersion"] = "1"
    backup = {"kind": "sql#backupConfiguration", "startTime": "02:00", "enabled": False}
    whole["backupConfiguration"] = {**backup, **settings.get("backupConfiguration", {})}
    address = {"ipv4Enabled": True, "sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED"}
    whole["ipConfiguration"] = {**address, **settings.get("ipConfiguration", {})}
    return whole


def described(call: Call, body: Resource) -> Resource:
    """Add what Cloud SQL says about a new instance; it has FAILED until it is made."""
    name, region = body["name"], body["region"]
    own = project(call).partition("/")[2]
    key = f"{project(call)}/instances/{name}"
    digest = hashlib.sha256(f"{own}:{name}".encode()).digest()
    installed = machine(call).installed_version(body["databaseVersion"])
    found = {
        **body,
        "kind": "sql#instance",
        "name": name,
        "project": own,
        "region": region,
        "gceZone": f"{region}-b",
        "state": "FAILED",
        "backendType": "SECOND_GEN",
        "instanceType": "CLOUD_SQL_INSTANCE",
        "connectionName": f"{own}:{region}:{name}",
        "createTime": call.now,
        "databaseInstalledVersion": installed,
        "maintenanceVersion": f"{installed}.{MAINTENANCE}",
        "ipAddresses": private.addresses(call.cloud, key, body["settings"], []),
        "serverCaCert": Certificates(call.cloud, key).server_ca,
        "serviceAccountEmailAddress": (
            f"p{call.cloud.number}-{digest.hex()[:6]}@gcp-sa-cloud-sql.iam.gserviceaccount.com"
        ),
        "selfLink": f"{ROOT}/projects/{own}/instances/{name}",
    }
    return {**found, "etag": etag(found)}


def etag(found: Resource) -> str:
    """Return a tag of the settings."""
    return hashlib.sha256(f"{found['name']} {found['settings']}".encode()).hexdigest()
