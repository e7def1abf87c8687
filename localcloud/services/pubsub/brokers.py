"""The broker of each cloud: opened when it is first asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from localcloud.services.pubsub.broker import Broker
from localcloud.services.pubsub.push import Pushers

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

_LOCK = threading.Lock()
_OPEN: WeakKeyDictionary[Cloud, tuple[Broker, Pushers]] = WeakKeyDictionary()


def broker_of(cloud: Cloud) -> Broker:
    """Return the broker of *cloud*, opening it at the first call."""
    return _open(cloud)[0]


def pushers_of(cloud: Cloud) -> Pushers:
    """Return what pushes for *cloud*."""
    return _open(cloud)[1]


def start(cloud: Cloud) -> None:
    """Go on pushing what an earlier process of *cloud* left."""
    pushers_of(cloud).resume()


def stop(cloud: Cloud) -> None:
    """Close the broker of *cloud*, if it was ever opened."""
    with _LOCK:
        opened = _OPEN.pop(cloud, None)
    if opened is not None:
        opened[1].close()
        opened[0].close()


def _open(cloud: Cloud) -> tuple[Broker, Pushers]:
    with _LOCK:
        opened = _OPEN.get(cloud)
        if opened is None:
            broker = Broker(cloud.state / "pubsub.db", cloud.clock)
            opened = _OPEN[cloud] = (broker, Pushers(cloud, broker))
        return opened
