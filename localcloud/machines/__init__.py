"""What is real behind the APIs: database servers, image builds, containers; and paper versions.

The paper ones run nothing and succeed after their latency, for simulations on a virtual clock.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.machines.builds.contract import Builder

_DATABASES = "localcloud.machines.databases.cloudsql:CloudSqlDatabases"
_MADE_BY: dict[str, dict[str, str]] = {
    "real": {
        "databases": _DATABASES,
        "builder": "localcloud.machines.builds.builder:DockerBuilder",
        "containers": "localcloud.machines.containers.box_containers:BoxContainers",
    },
    "paper": {
        "databases": "localcloud.machines.databases.paper_databases:PaperDatabases",
        "builder": "localcloud.machines.builds.paper_builder:PaperBuilder",
        "containers": "localcloud.machines.containers.paper_containers:PaperContainers",
    },
}


class Machines:
    """The machines of one cloud, each made when it is first used; any may be replaced."""

    def __init__(self, cloud: Cloud, kind: str) -> None:
        """Choose between ``real`` and ``paper``."""
        if kind not in _MADE_BY:
            raise ValueError(f"machines are {' or '.join(_MADE_BY)}, not {kind!r}")
        self.kind = kind
        self._cloud = cloud
        self._made: dict[str, Any] = {}

    @property
    def databases(self) -> Any:
        """What runs Cloud SQL instances."""
        return self._part("databases")

    @databases.setter
    def databases(self, part: Any) -> None:
        self._made["databases"] = part

    @property
    def builder(self) -> Builder:
        """What runs builds."""
        part: Builder = self._part("builder")
        return part

    @builder.setter
    def builder(self, part: Builder) -> None:
        self._made["builder"] = part

    @property
    def containers(self) -> Any:
        """What runs containers."""
        return self._part("containers")

    @containers.setter
    def containers(self, part: Any) -> None:
        self._made["containers"] = part

    def close(self) -> None:
        """Stop whatever was started."""
        for part in self._made.values():
            close = getattr(part, "close", None)
            if close is not None:
                close()

    def _part(self, name: str) -> Any:
        with self._cloud.store.lock():
            if name not in self._made:
                module, _, kind = _MADE_BY[self.kind][name].partition(":")
                make = getattr(import_module(module), kind)
                self._made[name] = make(*self._arguments(name))
            return self._made[name]

    def _arguments(self, name: str) -> tuple[Any, ...]:
        if self.kind == "paper":
            return ()
        folder = self._cloud.state / name
        return (self._cloud, folder) if name == "containers" else (folder,)
