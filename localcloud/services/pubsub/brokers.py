"""The broker of each cloud: opened when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.services.pubsub.broker import Broker
from localcloud.services.pubsub.push import Pushers

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


def broker_of(cloud: Cloud) -> Broker:
    """Return the broker of *cloud*, opening it at the first call."""
    return cloud.belongings.get(_opened)[0]


def pushers_of(cloud: Cloud) -> Pushers:
    """Return what pushes for *cloud*."""
    return cloud.belongings.get(_opened)[1]


def start(cloud: Cloud) -> None:
    """Go on pushing what an earlier process of *cloud* left."""
    pushers_of(cloud).resume()


def stop(cloud: Cloud) -> None:
    """Close the broker of *cloud*, if it was ever opened."""
    opened = cloud.belongings.take(_opened)
    if opened is not None:
        opened[1].close()
        opened[0].close()


def _opened(cloud: Cloud) -> tuple[Broker, Pushers]:
    broker = Broker(cloud.state / "pubsub.db", cloud.clock)
    return broker, Pushers(cloud, broker)
