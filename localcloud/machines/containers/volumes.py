"""Turns the volumes of a template into directories of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.machines.containers import private_networks, secret_values
from localcloud.machines.containers.workload import ContainerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.machines.containers.workload import Workload

_SECRET_MODE = 0o444


@dataclass
class Volumes:
    """What each volume is: paths below its mount point, to paths of this machine."""

    readonly: dict[str, dict[str, Path]] = field(default_factory=dict)
    writable: dict[str, dict[str, Path]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def binds(
        self, mounts: list[Mapping[str, Any]]
    ) -> tuple[dict[str, Path | str], dict[str, Path | str]]:
        """Return the writable and the read-only binds for a container's mounts."""
        writable: dict[str, Path | str] = {}
        readonly: dict[str, Path | str] = {}
        for mount in mounts:
            at = mount["mountPath"].rstrip("/")
            below = mount.get("subPath", "").strip("/")
            for source, target in ((self.writable, writable), (self.readonly, readonly)):
                for relative, path in source.get(mount["name"], {}).items():
                    inside = f"{at}/{relative}".rstrip("/")
                    target[inside] = path / below if below else path
        return writable, readonly


def make(cloud: Cloud, workload: Workload, folder: Path) -> Volumes:
    """Make the volumes of *workload* below *folder*."""
    made = Volumes()
    for volume in workload.template.get("volumes", []):
        kind = next((kind for kind in _MAKERS if kind in volume), None)
        if kind is None:
            known = ", ".join(_MAKERS)
            raise ContainerError(
                f"volume {volume['name']} is of a kind that has no local counterpart; "
                f"those that have one: {known}",
                reason="INTERNAL",
            )
        _MAKERS[kind](cloud, workload, volume, folder / volume["name"], made)
    return made


def _secret(
    cloud: Cloud, workload: Workload, volume: Mapping[str, Any], at: Path, made: Volumes
) -> None:
    source = volume["secret"]
    default = source.get("defaultMode") or _SECRET_MODE
    name = source["secret"]
    items = source.get("items") or [{"path": name.rpartition("/")[2], "version": "latest"}]
    at.mkdir(parents=True)
    for item in items:
        full = secret_values.version_name(workload.project, name, item.get("version", "latest"))
        path = at / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(secret_values.read(cloud, workload.account, full))
        path.chmod(item.get("mode") or default)
    made.readonly[volume["name"]] = {"": at}


def _empty(
    cloud: Cloud,  # noqa: ARG001 - one signature for all makers
    workload: Workload,  # noqa: ARG001 - one signature for all makers
    volume: Mapping[str, Any],
    at: Path,
    made: Volumes,
) -> None:
    at.mkdir(parents=True)
    at.chmod(0o777)
    made.writable[volume["name"]] = {"": at}


def _sql(
    cloud: Cloud, workload: Workload, volume: Mapping[str, Any], at: Path, made: Volumes
) -> None:
    binds: dict[str, Path] = {}
    member = f"serviceAccount:{workload.account}"
    for connection in volume["cloudSqlInstance"].get("instances", []):
        project, _, instance = connection.split(":")
        name = f"projects/{project}/instances/{instance}"
        sockets = _sockets(cloud, name, connection, at)
        allowed = cloud.enabled("sqladmin.googleapis.com") and cloud.iam.allowed(
            member, "cloudsql.instances.connect", "sqladmin", name
        )
        near = _near(cloud, workload, name)
        if not sockets or not allowed or not near:
            # As on Google's side the container starts all the same, and its connections fail.
            empty = at / connection
            empty.mkdir(parents=True)
            sockets = {connection: empty}
            made.warnings.append(
                f"Cloud SQL connection failed. Please ensure that the account {workload.account} "
                f"has access to {connection} (role roles/cloudsql.client), that the API "
                "sqladmin.googleapis.com is enabled, and that the instance exists and runs"
                + (
                    "."
                    if near
                    else ", and is reached: it has a private address only, in network "
                    f"{_network(cloud, name)}, which this container is not in."
                )
            )
        binds |= sockets
    made.readonly[volume["name"]] = binds


def _near(cloud: Cloud, workload: Workload, name: str) -> bool:
    """Tell whether a workload is in the network of an instance without a public address."""
    known = cloud.store.of("sqladmin").find(name)
    if known is None or not private_networks.only(known):
        return True
    network = _network(cloud, name)
    return private_networks.reaches(cloud, workload.template.get("vpcAccess", {}), network)


def _network(cloud: Cloud, name: str) -> str:
    settings = cloud.store.of("sqladmin").fetch(name)["settings"]
    return private_networks.network_of(cloud, settings) or ""


def _sockets(cloud: Cloud, name: str, connection: str, at: Path) -> dict[str, Path]:
    """Return what lies below /cloudsql for an instance; nothing when there is no socket.

    PostgreSQL's clients want a directory, MySQL's the socket itself. It is a link into a directory
    beside it, not a file bound by itself: a server that is restarted makes a new socket.
    """
    known = cloud.store.of("sqladmin").find(name)
    if known is None:
        return {}
    found = cloud.machines.databases.socket_directory(connection)
    if not os.path.isdir(found):  # noqa: PTH112 - paper may return any path
        return {}
    if not known["databaseVersion"].startswith("MYSQL_"):
        return {connection: found}
    link = at / connection
    at.mkdir(parents=True, exist_ok=True)
    link.symlink_to(f".{connection}/{cloud.machines.databases.socket(connection).name}")
    return {f".{connection}": found, connection: link}


_MAKERS = {"secret": _secret, "emptyDir": _empty, "cloudSqlInstance": _sql}
