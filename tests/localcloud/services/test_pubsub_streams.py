"""Streaming pulls through Google's client: delivery, order, repeats, rights, speed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import (
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unauthenticated,
)
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import FlowControl
from google.oauth2.credentials import Credentials as Token

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub.broker import Broker
from localcloud.services.pubsub.streams import METHOD as STREAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.pubsub_v1.subscriber.message import Message
    from google.oauth2.credentials import Credentials

PROJECT = "projects/berth-local"
ROOT = Path(__file__).parents[3]


def _ack(message: Message) -> None:
    message.ack()


def _pull(subscriber: SubscriberClient, name: str) -> list[Any]:
    return list(subscriber.pull(subscription=name, max_messages=10).received_messages)


def test_a_stream_delivers_and_acknowledges(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """Each of many messages comes once."""
    name = subscribe()
    collector = collect(name)
    futures = [publisher.publish(topic, str(n).encode()) for n in range(300)]
    for future in futures:
        future.result(10)

    assert sorted(collector.wait(300), key=int) == [str(n) for n in range(300)]


def test_a_stream_repeats_what_is_refused(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """A nack brings the message back."""
    name = subscribe()
    collector = collect(name, lambda m, before: m.nack() if before == 0 else m.ack())
    publisher.publish(topic, b"twice").result(10)

    assert collector.wait(2) == ["twice", "twice"]


def test_a_stream_keeps_the_order_of_a_key(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """A refused message is repeated before anything that follows it."""
    name = subscribe(enable_message_ordering=True)
    for n in range(4):
        publisher.publish(topic, str(n).encode(), ordering_key="k").result(10)
    collector = collect(name, lambda m, before: m.nack() if before == 1 else m.ack())

    assert collector.wait(5) == ["0", "1", "1", "2", "3"]


def test_a_dead_letter_counts_its_attempts(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """After five refusals the message is in the other topic, and each attempt knew its number."""
    grave = publisher.create_topic(name=f"{topic}-grave").name
    watch = subscriber.create_subscription(name=f"{PROJECT}/subscriptions/w-1", topic=grave).name
    name = subscribe(dead_letter_policy={"dead_letter_topic": grave, "max_delivery_attempts": 5})
    attempts: list[int] = []

    def refuse(message: Message, _: int) -> None:
        attempts.append(message.delivery_attempt)
        message.nack()

    collect(name, refuse)
    publisher.publish(topic, b"poison").result(10)

    assert [m.message.data for m in _pull(subscriber, watch)] == [b"poison"]
    assert attempts == [1, 2, 3, 4, 5]


def test_a_stream_ends_with_its_subscription(
    subscriber: SubscriberClient, subscribe: Callable[..., str]
) -> None:
    """Deleting the subscription ends the stream with NOT_FOUND."""
    name = subscribe()
    future = subscriber.subscribe(name, callback=_ack)
    with pytest.raises(FutureTimeoutError):
        future.result(0.5)

    subscriber.delete_subscription(subscription=name)

    with pytest.raises(NotFound):
        future.result(10)


def test_a_stranger_cannot_open_a_stream(
    token: Callable[[str], Credentials], subscribe: Callable[..., str]
) -> None:
    """A stream asks for the right to consume when it begins."""
    with SubscriberClient(credentials=token("stranger@example.com")) as stranger:
        future = stranger.subscribe(subscribe(), callback=_ack)
        with pytest.raises(PermissionDenied, match=r"pubsub\.subscriptions\.consume"):
            future.result(10)


def test_a_bad_token_is_unauthenticated(subscribe: Callable[..., str]) -> None:
    """On calls and on streams."""
    name = subscribe()
    with SubscriberClient(credentials=Token("bogus")) as stranger:  # type: ignore[no-untyped-call]
        with pytest.raises(Unauthenticated):
            stranger.get_subscription(subscription=name)
        with pytest.raises(Unauthenticated):
            stranger.subscribe(name, callback=_ack).result(10)


def test_calls_and_faults_are_the_same_over_grpc(
    served: Cloud,
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """A planned fault happens, the client's retry goes through, and the log has all of it."""
    name = subscribe()
    served.calls.clear()
    served.fail("pubsub.projects.topics.publish", 503)
    served.fail(STREAM, 503)
    collector = collect(name)
    publisher.publish(topic, b"x").result(20)

    assert collector.wait(1) == ["x"]
    assert [r.status for r in served.calls.of("pubsub.projects.topics.publish")] == [503, 200]
    assert [r.status for r in served.calls.of(STREAM)][:2] == [503, 200]
    record = served.calls.of("pubsub.projects.topics.publish")[0]
    assert (record.who, record.resource) == (OWNER, topic)
    assert served.unused_faults() == {}
    served.fail("pubsub.projects.topics.get", 503)
    with pytest.raises(ServiceUnavailable):
        publisher.get_topic(topic=topic, retry=None)


def test_a_message_arrives_within_milliseconds(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """From publish to callback the median is short; the bound leaves room for a busy machine."""
    name = subscribe()
    spans: list[float] = []
    sent: dict[str, float] = {}

    def note(message: Message, _: int) -> None:
        spans.append(time.perf_counter() - sent[message.data.decode()])
        message.ack()

    collector = collect(name, note)
    sent["warm"] = time.perf_counter()
    publisher.publish(topic, b"warm").result(10)
    collector.wait(1)
    for n in range(30):
        sent[str(n)] = time.perf_counter()
        publisher.publish(topic, str(n).encode()).result(10)
        collector.wait(n + 2)

    assert sorted(spans[1:])[15] < 0.1


def test_exactly_once_says_what_became_of_an_acknowledgement(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """With exactly-once delivery an acknowledgement is confirmed."""
    name = subscribe(enable_exactly_once_delivery=True)
    answers: list[Any] = []
    collector = collect(name, lambda m, _: answers.append(m.ack_with_response()))
    publisher.publish(topic, b"once").result(10)
    collector.wait(1)
    while not answers:
        time.sleep(0.01)

    assert answers[0].result(10).name == "SUCCESS"
    time.sleep(0.2)
    assert collector.texts == ["once"]


def test_a_subscriber_gets_no_more_than_it_can_hold(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """With room for two messages a third one waits until there is room again."""
    name = subscribe()
    for n in range(4):
        publisher.publish(topic, str(n).encode()).result(10)
    held: list[Message] = []
    control = FlowControl(max_messages=2)
    future = subscriber.subscribe(name, callback=held.append, flow_control=control)
    time.sleep(0.5)
    assert len(held) == 2

    for message in held:
        message.ack()
    deadline = time.monotonic() + 10
    while len(held) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    future.cancel()
    future.result(10)

    assert sorted(message.data for message in held) == [b"0", b"1", b"2", b"3"]


_PUBLISHER = """
import sys, pathlib
from localcloud.clock import VirtualClock
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.broker import Broker
from localcloud.services.pubsub.messages import Draft

broker = Broker(pathlib.Path(sys.argv[1]), VirtualClock())
broker.add_topic({"name": "t"})
broker.add_subscription({"name": "s", **rules.subscription({"topic": "t"})})
while True:
    print(broker.publish("t", [Draft(b"x", {})])[0], flush=True)
"""


def test_nothing_published_is_lost_over_kill_9(tmp_path: Path) -> None:
    """Every message whose number a publisher was told is delivered by the next process."""
    path = tmp_path / "pubsub.db"
    child = subprocess.Popen(
        [sys.executable, "-c", _PUBLISHER, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(200)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().splitlines(keepends=True)
    told += [line.strip() for line in rest if line.endswith("\n")]
    child.wait()
    child.stdout.close()

    broker = Broker(path, VirtualClock())
    found = {str(item.message.id) for item in broker.take("s", 1_000_000)}
    broker.close()

    assert set(told) <= found
