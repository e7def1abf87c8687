"""Streaming pulls through Google's client: delivery, order, repeats, rights, speed."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ServiceUnavailable,
    Unauthenticated,
)
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus
from google.cloud.pubsub_v1.types import FlowControl, StreamingPullRequest
from google.oauth2.credentials import Credentials as Token

from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub.streams import METHOD as STREAM
from localcloud.services.pubsub.streams import Stream
from tests.localcloud.services.pubsub import paper_broker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from google.cloud.pubsub_v1.subscriber.message import Message
    from google.oauth2.credentials import Credentials

    from localcloud.services.pubsub.broker import Broker

PROJECT = "projects/berth-local"


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
        future.result(30)

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
    publisher.publish(topic, b"twice").result(30)

    assert collector.wait(2) == ["twice", "twice"]


def test_a_stream_keeps_the_order_of_a_key(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """What followed a refused message comes again after it, even if it was acknowledged."""
    name = subscribe(enable_message_ordering=True)
    for n in range(4):
        publisher.publish(topic, str(n).encode(), ordering_key="k").result(30)
    collector = collect(name, lambda m, before: m.nack() if before == 1 else m.ack())

    assert collector.wait(7) == ["0", "1", "2", "3", "1", "2", "3"]


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
    publisher.publish(topic, b"poison").result(30)

    assert collect(watch).wait(1) == ["poison"]
    assert attempts == [1, 2, 3, 4, 5]


def test_a_stream_ends_with_its_subscription(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """Deleting the subscription ends the stream with NOT_FOUND."""
    name = subscribe()
    arrived = threading.Event()
    future = subscriber.subscribe(name, callback=lambda _: arrived.set())
    publisher.publish(topic, b"it is open").result(30)
    assert arrived.wait(30)
    subscriber.delete_subscription(subscription=name)

    with pytest.raises(NotFound):
        future.result(30)


def test_a_stranger_cannot_open_a_stream(
    token: Callable[[str], Credentials], subscribe: Callable[..., str]
) -> None:
    """A stream asks for the right to consume when it begins, and says so as a call does."""
    with SubscriberClient(credentials=token("stranger@example.com")) as stranger:
        future = stranger.subscribe(subscribe(), callback=_ack)
        with pytest.raises(PermissionDenied, match=r"pubsub\.subscriptions\.consume") as refused:
            future.result(30)

    assert refused.value.reason == "IAM_PERMISSION_DENIED"


def test_a_stream_without_a_request_is_refused(subscriber: SubscriberClient) -> None:
    """Who opens a stream has to say of what."""
    with pytest.raises(InvalidArgument):
        next(subscriber.streaming_pull(iter([]), retry=None))


def test_a_bad_token_is_unauthenticated(subscribe: Callable[..., str]) -> None:
    """On calls and on streams."""
    name = subscribe()
    with SubscriberClient(credentials=Token("bogus")) as stranger:  # type: ignore[no-untyped-call]
        with pytest.raises(Unauthenticated):
            stranger.get_subscription(subscription=name)
        with pytest.raises(Unauthenticated):
            stranger.subscribe(name, callback=_ack).result(30)


def test_calls_and_faults_are_the_same_over_grpc(
    served: Cloud, publisher: PublisherClient, topic: str
) -> None:
    """A planned fault happens, the client's retry goes through, and the log has all of it."""
    served.calls.clear()
    served.fail("pubsub.projects.topics.publish", 503)
    publisher.publish(topic, b"x").result(30)

    assert [r.status for r in served.calls.of("pubsub.projects.topics.publish")] == [503, 200]
    record = served.calls.of("pubsub.projects.topics.publish")[0]
    assert (record.who, record.resource) == (OWNER, topic)
    assert served.unused_faults() == {}
    served.fail("pubsub.projects.topics.get", 503)
    with pytest.raises(ServiceUnavailable):
        publisher.get_topic(topic=topic, retry=None)


def test_a_stream_can_be_refused(
    served: Cloud, subscriber: SubscriberClient, subscribe: Callable[..., str]
) -> None:
    """A planned fault meets the opening of a stream; the next one opens.

    The bare method is asked, not `subscribe`: the client's thread that opens a stream anew may
    overtake the one that opened it first, and then nobody reads one of the two streams
    (google-api-core 2.x, ``ResumableBidiRpc.open``: the call gets its callback before its place).
    """
    name = subscribe()
    served.calls.clear()
    served.fail(STREAM, 503)
    with pytest.raises(ServiceUnavailable):
        next(subscriber.streaming_pull(iter([_opening(name)]), retry=None))
    with pytest.raises(StopIteration):
        next(subscriber.streaming_pull(iter([_opening(name)]), retry=None))

    assert [r.status for r in served.calls.of(STREAM)] == [503, 200]


@pytest.mark.parametrize("lost", [False, True])
def test_a_stream_that_breaks_is_opened_again(
    served: Cloud,
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
    lost: bool,
) -> None:
    """After its first messages a stream ends with an error; nothing is lost, nothing repeated."""
    name = subscribe()
    served.calls.clear()
    if lost:
        served.lose_reply(STREAM)
    else:
        served.fail(STREAM, 503, after=True)
    collector = collect(name)
    publisher.publish(topic, b"before").result(30)
    collector.wait(1)
    publisher.publish(topic, b"after").result(30)

    assert collector.wait(2) == ["before", "after"]
    assert [r.status for r in served.calls.of(STREAM)] == [200, 200]
    assert served.unused_faults() == {}


def test_what_a_stream_could_not_send_is_there_at_once(broker: Broker) -> None:
    """A client that goes while a message is on its way leaves it to the next one, as new."""
    paper_broker.subscribe(broker)
    paper_broker.publish(broker, "1", "2")

    async def silent() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None

    async def break_off() -> list[str]:
        opening = _opening(paper_broker.SUB, max_outstanding_messages=1)
        async with aclosing(Stream(broker, paper_broker.SUB, opening).run(silent())) as responses:
            response = await anext(responses)
        return [received.message.data.decode() for received in response.received_messages]

    assert asyncio.run(break_off()) == ["1"]
    again = broker.take(paper_broker.SUB, 10)
    assert (paper_broker.texts(again), {item.attempt for item in again}) == (["1", "2"], {1})


def _opening(name: str, **more: Any) -> StreamingPullRequest:
    return StreamingPullRequest(subscription=name, **{"stream_ack_deadline_seconds": 10, **more})


@pytest.mark.parametrize(
    "request_of",
    [
        lambda name: _opening(name, stream_ack_deadline_seconds=9),
        lambda name: _opening(name, stream_ack_deadline_seconds=601),
        lambda name: _opening(name, modify_deadline_ack_ids=["a"], modify_deadline_seconds=[601]),
        lambda name: _opening(name, modify_deadline_ack_ids=["a"]),
    ],
    ids=["short", "long", "moved too far", "no second for an id"],
)
def test_an_impossible_stream_is_refused(
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    request_of: Callable[[str], StreamingPullRequest],
) -> None:
    """INVALID_ARGUMENT ends the stream."""
    with pytest.raises(InvalidArgument):
        next(subscriber.streaming_pull(iter([request_of(subscribe())]), retry=None))


def test_a_message_arrives_as_soon_as_it_is_published(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """Nobody waits for a poll: the bound is far below one, and far above a busy machine's delay.

    What it is on a quiet machine, ``python -m tests.benchmarks.publish_to_callback`` says.
    """
    name = subscribe()
    spans: list[float] = []
    sent: dict[str, float] = {}

    def note(message: Message, _: int) -> None:
        spans.append(time.perf_counter() - sent[message.data.decode()])
        message.ack()

    collector = collect(name, note)
    sent["warm"] = time.perf_counter()
    publisher.publish(topic, b"warm").result(30)
    collector.wait(1)
    for n in range(30):
        sent[str(n)] = time.perf_counter()
        publisher.publish(topic, str(n).encode()).result(30)
        collector.wait(n + 2)

    assert sorted(spans[1:])[15] < 1


def test_exactly_once_says_what_became_of_an_acknowledgement(
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """With exactly-once delivery an acknowledgement is confirmed."""
    name = subscribe(enable_exactly_once_delivery=True)
    answers: queue.Queue[Any] = queue.Queue()
    collector = collect(name, lambda m, _: answers.put(m.ack_with_response()))
    publisher.publish(topic, b"once").result(30)

    assert answers.get(timeout=30).result(30).name == "SUCCESS"
    publisher.publish(topic, b"next").result(30)
    assert collector.wait(2) == ["once", "next"]


def test_exactly_once_refuses_what_is_too_late(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
    collect: Callable[..., Any],
) -> None:
    """An acknowledgement whose lease is over fails, and says that no retry will help."""
    name = subscribe(enable_exactly_once_delivery=True)
    answers: queue.Queue[Any] = queue.Queue()

    def acknowledge_late(message: Message, _: int) -> None:
        subscriber.seek(request={"subscription": name, "time": datetime.now(UTC)})
        answers.put(message.ack_with_response())

    collect(name, acknowledge_late)
    publisher.publish(topic, b"once").result(30)

    with pytest.raises(AcknowledgeError) as refused:
        answers.get(timeout=30).result(30)
    assert refused.value.error_code is AcknowledgeStatus.INVALID_ACK_ID


def test_a_subscriber_gets_no_more_than_it_can_hold(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """With room for two messages a third one waits until there is room again."""
    name = subscribe()
    for n in range(4):
        publisher.publish(topic, str(n).encode()).result(30)
    held: queue.Queue[Message] = queue.Queue()
    control = FlowControl(max_messages=2)
    future = subscriber.subscribe(name, callback=held.put, flow_control=control)
    first = [held.get(timeout=30) for _ in range(2)]
    # Both are out, and the server knows it: the others are there for anybody else.
    others = _pull(subscriber, name)
    assert len(others) == 2
    assert held.empty()

    subscriber.modify_ack_deadline(
        subscription=name, ack_ids=[other.ack_id for other in others], ack_deadline_seconds=0
    )
    for message in first:
        message.ack()
    rest = [held.get(timeout=30) for _ in range(2)]
    for message in rest:
        message.ack()
    future.cancel()
    future.result(30)

    assert sorted(message.data for message in first + rest) == [b"0", b"1", b"2", b"3"]
