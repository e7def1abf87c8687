"""Pub/Sub through Google's client, over both doors: resources, rights, pulls and streams."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    Forbidden,
    InvalidArgument,
    NotFound,
)
from google.pubsub_v1 import PublisherClient as GeneratedPublisher
from google.pubsub_v1 import SubscriberClient as GeneratedSubscriber
from google.pubsub_v1.types import PubsubMessage

from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
    from google.oauth2.credentials import Credentials

# Returning at once is deprecated, but it is what gcloud asks for, and it saves waiting here.
pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")

_NUMBERS = itertools.count(1)
PROJECT = "projects/berth-local"


def _pull(subscriber: SubscriberClient, name: str, most: int = 10, **more: Any) -> list[Any]:
    found = subscriber.pull(subscription=name, max_messages=most, **more).received_messages
    return list(found)


def test_a_topic_is_made_once(publisher: PublisherClient, topic: str) -> None:
    """A second one of that name is ALREADY_EXISTS, and an absent one NOT_FOUND."""
    with pytest.raises(AlreadyExists, match="Resource already exists in the project"):
        publisher.create_topic(name=topic)
    for act in (publisher.get_topic, publisher.delete_topic):
        with pytest.raises(NotFound, match=r"Resource not found \(resource=absent\)"):
            act(topic=f"{PROJECT}/topics/absent")


@pytest.mark.parametrize("name", ["ab", "1abc", "googly", "sp ace", "x" * 256])
def test_bad_topic_names_are_refused(publisher: PublisherClient, name: str) -> None:
    """A name that Google does not allow is INVALID_ARGUMENT."""
    with pytest.raises(InvalidArgument):
        publisher.create_topic(name=f"{PROJECT}/topics/{name}")


def test_labels_change_under_a_mask(publisher: PublisherClient, topic: str) -> None:
    """Only what the mask names changes, and a mask there must be."""
    changed = publisher.update_topic(
        request={
            "topic": {"name": topic, "labels": {"a": "1"}},
            "update_mask": {"paths": ["labels"]},
        }
    )
    assert dict(changed.labels) == {"a": "1"}

    for paths in ([], ["name"], ["nonsense"]):
        with pytest.raises(InvalidArgument, match="update_mask"):
            publisher.update_topic(
                request={"topic": {"name": topic}, "update_mask": {"paths": paths}}
            )
    assert dict(publisher.get_topic(topic=topic).labels) == {"a": "1"}


def test_a_subscription_has_googles_defaults(
    subscriber: SubscriberClient, subscribe: Callable[..., str], topic: str
) -> None:
    """What is not said is filled in."""
    found = subscriber.get_subscription(subscription=subscribe())

    assert found.topic == topic
    assert found.ack_deadline_seconds == 10
    assert found.message_retention_duration.total_seconds() == 604800
    assert found.expiration_policy.ttl.total_seconds() == 2678400
    assert found.state.name == "ACTIVE"


def test_a_subscription_changes_under_a_mask(
    subscriber: SubscriberClient, subscribe: Callable[..., str]
) -> None:
    """Deadlines and labels change; order and filter never do."""
    name = subscribe(labels={"keep": "me"})
    update = {"name": name, "ack_deadline_seconds": 60, "filter": "attributes:x"}

    changed = subscriber.update_subscription(
        request={"subscription": update, "update_mask": {"paths": ["ack_deadline_seconds"]}}
    )

    assert (changed.ack_deadline_seconds, changed.filter) == (60, "")
    assert dict(changed.labels) == {"keep": "me"}
    with pytest.raises(InvalidArgument):
        subscriber.update_subscription(
            request={"subscription": update, "update_mask": {"paths": ["filter"]}}
        )


def test_a_bad_filter_is_refused(subscribe: Callable[..., str]) -> None:
    """INVALID_ARGUMENT, and no subscription that lets everything through."""
    with pytest.raises(InvalidArgument, match="Invalid filter syntax"):
        subscribe(filter="attributes.team == 'x'")


def test_a_filter_lets_only_its_own_through(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """The others are acknowledged without anybody seeing them."""
    name = subscribe(filter='attributes.team = "risk"')
    for team in ("other", "risk", ""):
        publisher.publish(topic, team.encode() or b"-", team=team).result(30)

    assert [m.message.data for m in _pull(subscriber, name)] == [b"risk"]


def test_a_message_comes_as_it_was_sent(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """Bytes, attributes, key, number and time."""
    name = subscribe()
    data = bytes(range(256))
    number = publisher.publish(topic, data, ordering_key="key", a="ä").result(30)

    received = _pull(subscriber, name)[0]

    message = received.message
    assert (message.data, dict(message.attributes)) == (data, {"a": "ä"})
    assert (message.message_id, message.ordering_key) == (number, "key")
    assert abs((datetime.now(UTC) - message.publish_time).total_seconds()) < 5
    assert received.delivery_attempt == 0


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "message_count is too small"),
        ([{"data": b""}], "is empty"),
        ([{"data": b"x", "attributes": {"googx": "y"}}], "attribute key"),
    ],
)
def test_bad_messages_are_refused(
    publisher: PublisherClient, topic: str, messages: list[Any], words: str
) -> None:
    """INVALID_ARGUMENT, and nothing is published."""
    with pytest.raises(InvalidArgument, match=words):
        # The generated method: the client's own refuses some of these before they are sent.
        GeneratedPublisher.publish(publisher, topic=topic, messages=messages)


def test_pull_acknowledge_and_refuse(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """What is acknowledged is done, what is given back comes at once, as the same message."""
    name = subscribe()
    for text in (b"1", b"2"):
        publisher.publish(topic, text).result(30)
    first, second = _pull(subscriber, name)
    subscriber.acknowledge(subscription=name, ack_ids=[first.ack_id])
    subscriber.modify_ack_deadline(
        subscription=name, ack_ids=[second.ack_id], ack_deadline_seconds=0
    )

    again = _pull(subscriber, name)

    assert [m.message.message_id for m in again] == [second.message.message_id]
    # An identifier whose time is over is no error: it may have been acknowledged by a retry.
    subscriber.acknowledge(subscription=name, ack_ids=[first.ack_id, second.ack_id])
    for ids, words in (([], "not specified an ack ID"), (["bogus"], "ack_id=bogus")):
        with pytest.raises(InvalidArgument, match=words):
            subscriber.acknowledge(request={"subscription": name, "ack_ids": ids})
    with pytest.raises(NotFound):
        subscriber.acknowledge(subscription=f"{name}-gone", ack_ids=[first.ack_id])


def test_a_pull_waits_for_a_message(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """It comes back as soon as there is one, and empty if there is none."""
    name = subscribe()
    timer = threading.Timer(0.3, lambda: publisher.publish(topic, b"late"))
    timer.start()
    # One pull is enough unless the machine is so busy that the other thread takes seconds.
    pulled = next(filter(None, (_pull(subscriber, name) for _ in range(6))))
    timer.join()

    assert [m.message.data for m in pulled] == [b"late"]
    with pytest.raises(InvalidArgument):
        _pull(subscriber, name, most=0)


def test_seek_and_snapshot(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """Back to a time, back to a snapshot."""
    name = subscribe(retain_acked_messages=True)
    start = datetime.now(UTC)
    publisher.publish(topic, b"1").result(30)
    snapshot = f"{PROJECT}/snapshots/snap-1"
    made = subscriber.create_snapshot(name=snapshot, subscription=name)
    assert made.topic == topic
    for item in _pull(subscriber, name):
        subscriber.acknowledge(subscription=name, ack_ids=[item.ack_id])

    subscriber.seek(request={"subscription": name, "snapshot": snapshot})
    assert [m.message.data for m in _pull(subscriber, name)] == [b"1"]
    subscriber.seek(request={"subscription": name, "time": datetime.now(UTC)})
    assert _pull(subscriber, name, return_immediately=True) == []
    subscriber.seek(request={"subscription": name, "time": start})
    assert [m.message.data for m in _pull(subscriber, name)] == [b"1"]
    assert [s.name for s in subscriber.list_snapshots(project=PROJECT)] == [snapshot]
    subscriber.delete_snapshot(snapshot=snapshot)
    with pytest.raises(NotFound):
        subscriber.get_snapshot(snapshot=snapshot)


def test_lists_come_in_pages(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """Topics, subscriptions, and those of one topic."""
    mine = sorted(subscribe() for _ in range(3))

    found = publisher.list_topic_subscriptions(request={"topic": topic, "page_size": 2})
    assert list(found) == mine
    assert topic in [t.name for t in publisher.list_topics(project=PROJECT)]
    pages = subscriber.list_subscriptions(request={"project": PROJECT, "page_size": 1})
    assert set(mine) <= {s.name for s in pages}


def test_policies_over_grpc(publisher: PublisherClient, topic: str) -> None:
    """A topic's policy is set, shown and asked."""
    binding = {"role": "roles/pubsub.publisher", "members": ["user:someone@example.com"]}
    publisher.set_iam_policy(request={"resource": topic, "policy": {"bindings": [binding]}})

    found = publisher.get_iam_policy(request={"resource": topic})
    mine = publisher.test_iam_permissions(
        request={"resource": topic, "permissions": ["pubsub.topics.publish"]}
    )

    assert [(b.role, list(b.members)) for b in found.bindings] == [
        ("roles/pubsub.publisher", ["user:someone@example.com"])
    ]
    assert list(mine.permissions) == ["pubsub.topics.publish"]


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_rights_are_asked_for_on_both_doors(
    served: Cloud,
    token: Callable[[str], Credentials],
    subscribe: Callable[..., str],
    topic: str,
    transport: str,
) -> None:
    """A stranger may nothing; a role on one topic or subscription gives just that."""
    name, email = subscribe(), f"{transport}@example.com"
    message = PubsubMessage(data=transport.encode())
    theirs = GeneratedPublisher(credentials=token(email), transport=transport)
    puller = GeneratedSubscriber(credentials=token(email), transport=transport)
    with theirs, puller:
        with pytest.raises(Forbidden, match=r"pubsub\.topics\.publish"):
            theirs.publish(topic=topic, messages=[message])
        with pytest.raises(Forbidden, match=r"pubsub\.subscriptions\.consume"):
            _pull(puller, name)

        member = f"user:{email}"
        served.grant(member, "roles/pubsub.publisher", on=f"//pubsub.googleapis.com/{topic}")
        served.grant(member, "roles/pubsub.subscriber", on=f"//pubsub.googleapis.com/{name}")

        theirs.publish(topic=topic, messages=[message])
        received = _pull(puller, name)
        puller.acknowledge(subscription=name, ack_ids=[received[0].ack_id])
        with pytest.raises(Forbidden):
            theirs.delete_topic(topic=topic)
    assert [m.message.data for m in received] == [transport.encode()]


def test_rest_and_grpc_are_one_broker(
    token: Callable[[str], Credentials],
    publisher: PublisherClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """What is published over gRPC is pulled over REST."""
    name = subscribe()
    publisher.publish(topic, b"over", a="b").result(30)
    with GeneratedSubscriber(credentials=token(OWNER), transport="rest") as rest:
        received = _pull(rest, name)
        rest.acknowledge(subscription=name, ack_ids=[received[0].ack_id])
        assert rest.get_subscription(subscription=name).topic == topic

    assert received[0].message.data == b"over"
    assert dict(received[0].message.attributes) == {"a": "b"}


def test_a_detached_subscription_gives_nothing(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    subscribe: Callable[..., str],
    topic: str,
) -> None:
    """It is cut off, and says so."""
    name = subscribe()
    publisher.detach_subscription(request={"subscription": name})
    publisher.publish(topic, b"x").result(30)

    assert subscriber.get_subscription(subscription=name).detached
    with pytest.raises(FailedPrecondition):
        _pull(subscriber, name, return_immediately=True)
