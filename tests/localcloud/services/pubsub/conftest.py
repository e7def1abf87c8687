"""Google's publisher and subscriber in front of a local cloud; a broker without one."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import PublisherOptions

from localcloud.cloud import OWNER
from localcloud.services.pubsub.broker import Broker
from tests.localcloud.services.pubsub.paper_broker import GRAVE, TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.cloud.pubsub_v1.subscriber.message import Message
    from google.oauth2.credentials import Credentials

    from localcloud.clock import VirtualClock

_NUMBERS = itertools.count(1)
_PROJECT = "projects/berth-local"


@pytest.fixture(scope="module")
def publisher(token: Callable[[str], Credentials]) -> Iterator[PublisherClient]:
    """Google's publisher, as the project's owner, over gRPC."""
    options = PublisherOptions(enable_message_ordering=True)
    made = PublisherClient(publisher_options=options, credentials=token(OWNER))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def subscriber(token: Callable[[str], Credentials]) -> Iterator[SubscriberClient]:
    """Google's subscriber, as the project's owner, over gRPC."""
    with SubscriberClient(credentials=token(OWNER)) as made:
        yield made


@pytest.fixture
def topic(publisher: PublisherClient) -> str:
    """A new topic."""
    return str(publisher.create_topic(name=f"{_PROJECT}/topics/t-{next(_NUMBERS):03}").name)


@pytest.fixture
def subscribe(subscriber: SubscriberClient, topic: str) -> Callable[..., str]:
    """Makes subscriptions to the topic."""

    def make(**settings: Any) -> str:
        name = f"{_PROJECT}/subscriptions/s-{next(_NUMBERS):03}"
        request = {"name": name, "topic": topic, **settings}
        return str(subscriber.create_subscription(request=request).name)

    return make


class Collector:
    """A callback that notes what it gets and does what it is told."""

    def __init__(self, act: Callable[[Message, int], None] | None = None) -> None:
        """Acknowledge everything, unless ``act`` decides; it is told how many came before."""
        self.texts: list[str] = []
        self._act = act or (lambda message, _: message.ack())
        self._more = threading.Condition()

    def __call__(self, message: Message) -> None:
        """Take one message."""
        with self._more:
            self.texts.append(message.data.decode())
            before = len(self.texts) - 1
            self._more.notify_all()
        self._act(message, before)

    def wait(self, count: int, seconds: float = 30.0) -> list[str]:
        """Wait until so many have come and give them."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.texts) >= count, seconds), self.texts
            return list(self.texts)


@pytest.fixture
def collect(subscriber: SubscriberClient) -> Iterator[Callable[..., Collector]]:
    """Opens streaming pulls whose messages a collector takes; closes them at the end."""
    futures = []

    def begin(name: str, act: Callable[[Message, int], None] | None = None) -> Collector:
        collector = Collector(act)
        futures.append(subscriber.subscribe(name, callback=collector))
        return collector

    yield begin
    for future in futures:
        future.cancel()
        future.result(30)


@pytest.fixture
def broker(tmp_path: Path, clock: VirtualClock) -> Iterator[Broker]:
    """A broker with two topics."""
    made = Broker(tmp_path / "pubsub.db", clock)
    for name in (TOPIC, GRAVE):
        made.add_topic({"name": name})
    yield made
    made.close()
