"""The depot of each cloud: opened when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from localcloud.services.storage.depot import Depot

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def depot_of(cloud: Cloud) -> Depot:
    """Return the depot of *cloud*, opening it at the first call."""
    return cloud.belongings.get(_opened)


def close_depot(cloud: Cloud) -> None:
    """Close the depot of *cloud*, if it was ever opened."""
    depot = cloud.belongings.take(_opened)
    if depot is not None:
        depot.close()


def _opened(cloud: Cloud) -> Depot:
    # Both use the depot themselves, so they are looked up only now.
    listeners = (
        import_module("localcloud.services.storage.folders").follow,
        import_module("localcloud.services.storage.notifications").publish,
    )

    def told(events: list[Any]) -> None:
        for listen in listeners:
            listen(cloud, events)

    return Depot(cloud.state / "storage", cloud.clock.now, told)
