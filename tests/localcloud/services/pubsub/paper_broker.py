"""A broker on paper: one topic and one subscription, and words short enough for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.services.pubsub import rules
from localcloud.services.pubsub.messages import Draft

if TYPE_CHECKING:
    from localcloud.services.pubsub.broker import Broker
    from localcloud.services.pubsub.queue import Handed

TOPIC = "projects/p/topics/news"
GRAVE = "projects/p/topics/grave"
SUB = "projects/p/subscriptions/sub"


def subscribe(broker: Broker, name: str = SUB, **settings: Any) -> None:
    """Make a subscription to the topic."""
    resource = rules.subscription({"topic": TOPIC, **settings})
    broker.add_subscription({"name": name, **resource})


def publish(broker: Broker, *texts: str, key: str = "", topic: str = TOPIC, **more: str) -> None:
    """Publish texts, one by one."""
    for text in texts:
        broker.publish(topic, [Draft(text.encode(), more, key)])


def texts(handed: list[Handed]) -> list[str]:
    """Give the texts of what was handed out."""
    return [item.message.data.decode() for item in handed]
