"""Cloud SQL: real database servers behind the v1 and v1beta4 APIs, which have the same methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.documents.protos import Protos
from localcloud.service import PUBLIC, Call, Needs, Service
from localcloud.services.sqladmin import (
    actions,
    backup_runs,
    databases,
    flags,
    instances,
    progress,
    project_backups,
    statements,
    tiers,
    unfit,
    users,
)
from localcloud.services.sqladmin.connections import connect, gateway
from localcloud.services.sqladmin.names import named_resource, not_authorized, project

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from localcloud.cloud import Cloud


def _on_project(permission: str) -> Needs:
    return Needs(permission, resource=project)


def _on_parent(permission: str) -> Needs:
    def place(call: Call) -> str:
        name = call.cloud.by_id(str(call.get("parent") or call.get("name")))
        return "/".join(name.split("/")[:2])

    return Needs(permission, resource=place)


METHODS: dict[str, tuple[Callable[[Call], Any], str | Needs]] = {
    "sql.instances.insert": (instances.insert, _on_project("cloudsql.instances.create")),
    "sql.instances.get": (instances.get, "cloudsql.instances.get"),
    "sql.instances.list": (instances.list_instances, _on_project("cloudsql.instances.list")),
    "sql.instances.patch": (instances.patch, "cloudsql.instances.update"),
    "sql.instances.update": (instances.update, "cloudsql.instances.update"),
    "sql.instances.delete": (instances.delete, "cloudsql.instances.delete"),
    "sql.instances.restart": (instances.restart, "cloudsql.instances.restart"),
    "sql.instances.restoreBackup": (actions.restore_backup, "cloudsql.instances.restoreBackup"),
    "sql.instances.clone": (actions.clone, "cloudsql.instances.clone"),
    "sql.instances.failover": (actions.failover, "cloudsql.instances.failover"),
    "sql.instances.resetSslConfig": (connect.reset, "cloudsql.instances.resetSslConfig"),
    "sql.instances.pointInTimeRestore": (
        actions.point_in_time_restore,
        _on_parent("cloudsql.instances.create"),
    ),
    "sql.projects.instances.getLatestRecoveryTime": (
        actions.latest_recovery_time,
        "cloudsql.instances.get",
    ),
    "sql.connect.resolve": (unfit.resolve, PUBLIC),
    "sql.instances.executeSql": (statements.execute, "cloudsql.instances.executeSql"),
    "sql.instances.listServerCas": (connect.server_cas, "cloudsql.instances.listServerCas"),
    "sql.connect.get": (connect.get_settings, "cloudsql.instances.get"),
    "sql.connect.generateEphemeral": (connect.generate_ephemeral, "cloudsql.instances.connect"),
    "sql.sslCerts.createEphemeral": (connect.create_ephemeral, "cloudsql.sslCerts.createEphemeral"),
    "sql.sslCerts.insert": (connect.insert, "cloudsql.sslCerts.create"),
    "sql.sslCerts.get": (connect.get, "cloudsql.sslCerts.get"),
    "sql.sslCerts.list": (connect.list_certs, "cloudsql.sslCerts.list"),
    "sql.sslCerts.delete": (connect.delete, "cloudsql.sslCerts.delete"),
    "sql.databases.insert": (databases.insert, "cloudsql.databases.create"),
    "sql.databases.get": (databases.get, "cloudsql.databases.get"),
    "sql.databases.list": (databases.list_databases, "cloudsql.databases.list"),
    "sql.databases.patch": (databases.patch, "cloudsql.databases.update"),
    "sql.databases.update": (databases.patch, "cloudsql.databases.update"),
    "sql.databases.delete": (databases.delete, "cloudsql.databases.delete"),
    "sql.users.insert": (users.insert, "cloudsql.users.create"),
    "sql.users.get": (users.get, "cloudsql.users.get"),
    "sql.users.list": (users.list_users, "cloudsql.users.list"),
    "sql.users.update": (users.update, "cloudsql.users.update"),
    "sql.users.delete": (users.delete, "cloudsql.users.delete"),
    "sql.operations.get": (progress.get, _on_project("cloudsql.instances.get")),
    "sql.operations.list": (progress.list_operations, _on_project("cloudsql.instances.get")),
    "sql.operations.cancel": (progress.cancel, _on_project("cloudsql.instances.update")),
    "sql.backupRuns.insert": (backup_runs.insert, "cloudsql.backupRuns.create"),
    "sql.backupRuns.get": (backup_runs.get, "cloudsql.backupRuns.get"),
    "sql.backupRuns.list": (backup_runs.list_runs, "cloudsql.backupRuns.list"),
    "sql.backupRuns.delete": (backup_runs.delete, "cloudsql.backupRuns.delete"),
    "sql.Backups.CreateBackup": (project_backups.create, _on_parent("cloudsql.backupRuns.create")),
    "sql.Backups.GetBackup": (project_backups.get, _on_parent("cloudsql.backupRuns.get")),
    "sql.Backups.ListBackups": (project_backups.list_all, _on_parent("cloudsql.backupRuns.list")),
    "sql.Backups.UpdateBackup": (project_backups.update, _on_parent("cloudsql.backupRuns.update")),
    "sql.Backups.DeleteBackup": (project_backups.delete, _on_parent("cloudsql.backupRuns.delete")),
    "sql.flags.list": (flags.list_flags, PUBLIC),
    "sql.tiers.list": (tiers.list_tiers, _on_project("cloudsql.instances.list")),
    **unfit.methods(),
}
REQUIRED = {
    "sql.instances.insert": ("name", "settings", "settings.tier"),
    "sql.instances.update": ("settings", "settings.tier"),
    "sql.instances.executeSql": ("sqlStatement",),
    "sql.databases.insert": ("name",),
    "sql.users.insert": ("name",),
    "sql.sslCerts.insert": ("commonName",),
    "sql.instances.clone": ("cloneContext", "cloneContext.destinationInstanceName"),
    "sql.Backups.CreateBackup": ("instance",),
}


def _start(cloud: Cloud) -> None:
    """Start the servers that ran before; none are made for a project without instances."""
    if cloud.store.of("sqladmin").count(f"projects/{cloud.project}/instances/"):
        cloud.machines.databases.resume()
        instances.let_in(cloud)


# The one method family whose ids differ between the two versions.
RENAMED = {
    f"sql.Backups.{name}": f"sql.backups.{name[0].lower()}{name[1:]}"
    for name in ("CreateBackup", "GetBackup", "ListBackups", "UpdateBackup", "DeleteBackup")
}


# What the client library over gRPC calls differently from the document.
RPCS = {
    "sql.connect.get": "SqlConnectService/GetConnectSettings",
    "sql.connect.generateEphemeral": "SqlConnectService/GenerateEphemeralCert",
    "sql.connect.resolve": "SqlConnectService/ResolveConnectSettings",
    "sql.sslCerts.createEphemeral": "SqlInstancesService/CreateEphemeral",
}


def _rpc(method: str) -> str:
    """Name a method as gRPC does: sql.users.list is SqlUsersService/List."""
    group, verb = method.split(".")[-2:]
    named = f"Sql{group[0].upper()}{group[1:]}Service/{verb[0].upper()}{verb[1:]}"
    return RPCS.get(method, named)


PROTOS = Protos(
    "google.cloud.sql.v1", "google.cloud.sqladmin_v1", {_rpc(method): method for method in METHODS}
)


def _service(version: str, *, runs_servers: bool, renamed: dict[str, str] | None = None) -> Service:
    table = {(renamed or {}).get(method, method): row for method, row in METHODS.items()}
    return Service(
        "sqladmin",
        version,
        {method: handler for method, (handler, _) in table.items()},
        permissions={method: needs for method, (_, needs) in table.items()},
        required={(renamed or {}).get(method, method): row for method, row in REQUIRED.items()},
        errors="legacy",
        denial=not_authorized,
        protos=PROTOS if version == "v1" else None,
        resource=named_resource,
        on_start=_start if runs_servers else None,
        on_stop=gateway.shut if runs_servers else None,
    )


SERVICE = _service("v1", runs_servers=True)
SERVICE_V1BETA4 = _service("v1beta4", runs_servers=False, renamed=RENAMED)
