"""The depot of each cloud: opened when it is first asked for."""

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from localcloud.services.storage.depot import Depot

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

_LOCK = threading.Lock()
_OPEN: "WeakKeyDictionary[Cloud, Depot]" = WeakKeyDictionary()


def depot_of(cloud: "Cloud") -> Depot:
    """Return the depot of *cloud*, opening it at the first call."""
    with _LOCK:
        depot = _OPEN.get(cloud)
        if depot is None:
            # The depot must not keep its cloud alive.
            owner = ref(cloud)
            listeners = (
                import_module("localcloud.services.storage.folders").follow,
                import_module("localcloud.services.storage.notifications").publish,
            )

            def told(events: list[Any]) -> None:
                for listen in listeners:
                    listen(owner(), events)

            depot = _OPEN[cloud] = Depot(cloud.state / "storage", cloud.clock.now, told)
        return depot


def close_depot(cloud: "Cloud") -> None:
    """Close the depot of *cloud*, if it was ever opened."""
    with _LOCK:
        depot = _OPEN.pop(cloud, None)
    if depot is not None:
        depot.close()
