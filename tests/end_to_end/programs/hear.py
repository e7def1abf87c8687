"""Hear events by streaming pull until one of a deployment and state comes: NAME DEPLOYMENT STATE."""

import json
import sys
import threading
from typing import Any

from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message

name, deployment, state = sys.argv[1:]
heard: list[dict[str, Any]] = []
last = threading.Event()


def hear(message: Message) -> None:
    """Keep an event."""
    heard.append(
        {
            "attributes": dict(message.attributes),
            "key": message.ordering_key,
            "data": json.loads(message.data),
        }
    )
    message.ack()
    attributes = message.attributes
    if (attributes["deployment"], attributes["state"]) == (deployment, state):
        last.set()


with SubscriberClient() as client:
    stream = client.subscribe(name, callback=hear)
    last.wait(timeout=30)
    stream.cancel()
    stream.result(timeout=20)
print(json.dumps(heard))
