"""A local cloud with its doors open, and Google's own clients in front of them."""

from __future__ import annotations

import itertools
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import storage
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import PublisherOptions
from google.oauth2.credentials import Credentials

from localcloud.cloud import OWNER, Cloud
from localcloud.domains.certificates import Authority
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.pubsub.broker import Broker
from localcloud.services.storage import SERVICE as STORAGE
from tests.localcloud import wire
from tests.localcloud.services.paper_broker import GRAVE, TOPIC
from tests.localcloud.services.sql_instances import P, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.cloud.pubsub_v1.subscriber.message import Message

    from localcloud.clock import VirtualClock

_NUMBERS = itertools.count(1)
_PROJECT = "projects/berth-local"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One certificate authority for all clouds: gRPC reads its roots once per process."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Cloud]:
    """A cloud that real clients of this process reach under Google's names."""
    state = tmp_path_factory.mktemp("state")
    shutil.copytree(authority.bundle.parent, state / "keys")
    cloud = Cloud(state, only=[STORAGE, PUBSUB])
    with pytest.MonkeyPatch.context() as patch, cloud.serve():
        for name, value in cloud.environment(OWNER).items():
            patch.setenv(name, value)
        yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def token(served: Cloud) -> Callable[[str], Credentials]:
    """Gives an identity's access token, as credentials."""

    def give(email: str) -> Credentials:
        return Credentials(served.tokens.access_token(email))  # type: ignore[no-untyped-call]

    return give


@pytest.fixture(scope="module")
def client_of(
    served: Cloud, token: Callable[[str], Credentials]
) -> Iterator[Callable[[str], storage.Client]]:
    """Makes Google's storage client for an identity."""
    made: list[storage.Client] = []

    def make(email: str) -> storage.Client:
        made.append(storage.Client(project=served.project, credentials=token(email)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def client(client_of: Callable[[str], storage.Client]) -> storage.Client:
    """Google's storage client, as the project's owner."""
    return client_of(OWNER)


@pytest.fixture
def bucket(client: storage.Client, request: pytest.FixtureRequest) -> storage.Bucket:
    """A bucket named after the test, without soft delete."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")
    made = client.bucket(f"{stem[:50].strip('-')}-{next(_NUMBERS)}")
    made.soft_delete_policy.retention_duration_seconds = 0
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    return client.create_bucket(made, location="europe-west1")


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


@pytest.fixture
def sql(cloud: Cloud) -> Any:
    """Return Google's client with the API enabled."""
    cloud.enable("sqladmin.googleapis.com")
    return wire.client(cloud, "sqladmin", "v1")


@pytest.fixture
def pool(sql: Any, clock: VirtualClock) -> Any:
    """Return the client with an instance that is ready."""
    sql.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()
    return sql
