"""The broker on a clock that stands still: leases, order, dead letters, time travel, restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.errors import ApiError
from localcloud.services.pubsub import rules
from localcloud.services.pubsub.broker import Broker
from localcloud.services.pubsub.messages import Draft
from tests.localcloud.services.pubsub.paper_broker import (
    GRAVE,
    SUB,
    TOPIC,
    publish,
    subscribe,
    texts,
)

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock


def test_every_subscription_gets_every_message(broker: Broker) -> None:
    """Subscriptions do not take from each other, and get nothing from before their time."""
    publish(broker, "early")
    subscribe(broker)
    subscribe(broker, SUB + "2")
    publish(broker, "a", "b")

    assert texts(broker.take(SUB, 10)) == ["a", "b"]
    assert texts(broker.take(SUB + "2", 10)) == ["a", "b"]


def test_a_leased_message_goes_to_nobody_else(broker: Broker) -> None:
    """What is out is not handed out again before its deadline."""
    subscribe(broker)
    publish(broker, "a")

    assert texts(broker.take(SUB, 10)) == ["a"]
    assert broker.take(SUB, 10) == []


def test_an_acknowledged_message_is_done(broker: Broker, clock: VirtualClock) -> None:
    """It never comes back."""
    subscribe(broker)
    publish(broker, "a")
    broker.acknowledge(SUB, [item.ack_id for item in broker.take(SUB, 10)])

    clock.advance(3600)

    assert broker.take(SUB, 10) == []


def test_without_an_acknowledgement_it_comes_again(broker: Broker, clock: VirtualClock) -> None:
    """After the deadline the message is handed out again, as a further attempt."""
    subscribe(broker, ackDeadlineSeconds=10)
    publish(broker, "a")
    first = broker.take(SUB, 1)[0]

    clock.advance(9.9)
    assert broker.take(SUB, 1) == []
    clock.advance(0.2)
    second = broker.take(SUB, 1)[0]

    assert (first.attempt, second.attempt) == (1, 2)
    assert broker.acknowledge(SUB, [first.ack_id]) == [first.ack_id]


def test_listeners_hear_of_a_deadline(broker: Broker, clock: VirtualClock) -> None:
    """Who waits is woken when a message comes back, without asking."""
    subscribe(broker, ackDeadlineSeconds=10)
    publish(broker, "a")
    broker.take(SUB, 1)
    heard: list[float] = []
    start = clock.now()
    broker.listen(SUB, lambda: heard.append(clock.now() - start))

    clock.advance(60)

    assert heard[0] == pytest.approx(10, abs=0.01)


def test_an_extended_lease_lasts(broker: Broker, clock: VirtualClock) -> None:
    """A moved deadline counts from the moment it is moved."""
    subscribe(broker, ackDeadlineSeconds=10)
    publish(broker, "a")
    handed = broker.take(SUB, 1)[0]

    clock.advance(8)
    broker.extend(SUB, [handed.ack_id], 60)
    clock.advance(59)
    assert broker.take(SUB, 1) == []
    clock.advance(2)

    assert texts(broker.take(SUB, 1)) == ["a"]


def test_a_refused_message_comes_at_once(broker: Broker) -> None:
    """Zero seconds give a message back."""
    subscribe(broker)
    publish(broker, "a")
    broker.extend(SUB, [broker.take(SUB, 1)[0].ack_id], 0)

    assert texts(broker.take(SUB, 1)) == ["a"]


def test_a_retry_policy_spaces_attempts(broker: Broker, clock: VirtualClock) -> None:
    """Each refusal doubles the wait, up to the maximum."""
    subscribe(broker, retryPolicy={"minimumBackoff": "2s", "maximumBackoff": "5s"})
    publish(broker, "a")
    waits: list[float] = []
    for _ in range(4):
        broker.extend(SUB, [broker.take(SUB, 1)[0].ack_id], 0)
        start = clock.now()
        while not broker.subscription(SUB).queue.has_ready(clock.now()):
            clock.advance(0.5)
        waits.append(clock.now() - start)

    assert waits == [2.0, 4.0, 5.0, 5.0]


def test_bytes_are_a_limit_too(broker: Broker) -> None:
    """The message that reaches the limit is the last one."""
    subscribe(broker)
    publish(broker, "abc", "def", "ghi")

    assert broker.take(SUB, 10, most_bytes=0) == []
    assert texts(broker.take(SUB, 10, most_bytes=4)) == ["abc", "def"]


def test_too_many_attempts_end_in_the_dead_letter_topic(broker: Broker) -> None:
    """After five attempts a message moves, and says where it came from."""
    subscribe(broker, deadLetterPolicy={"deadLetterTopic": GRAVE, "maxDeliveryAttempts": 5})
    broker.add_subscription({"name": SUB + "-grave", **rules.subscription({"topic": GRAVE})})
    publish(broker, "poison", team="risk")
    for attempt in range(1, 6):
        handed = broker.take(SUB, 1)[0]
        assert handed.attempt == attempt
        broker.extend(SUB, [handed.ack_id], 0)

    assert broker.take(SUB, 1) == []
    buried = broker.take(SUB + "-grave", 1)[0].message
    assert buried.data == b"poison"
    assert buried.attributes["team"] == "risk"
    assert buried.attributes["CloudPubSubDeadLetterSourceSubscription"] == "sub"
    assert buried.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_a_full_message_is_buried_too(broker: Broker) -> None:
    """With as many attributes as there may be, a message still gets those that say its origin."""
    subscribe(broker, deadLetterPolicy={"deadLetterTopic": GRAVE, "maxDeliveryAttempts": 5})
    broker.add_subscription({"name": SUB + "-grave", **rules.subscription({"topic": GRAVE})})
    publish(broker, "poison", **{f"k{n}": "v" for n in range(100)})
    for _ in range(5):
        broker.extend(SUB, [broker.take(SUB, 1)[0].ack_id], 0)

    assert len(broker.take(SUB + "-grave", 1)[0].message.attributes) == 104


def test_without_its_grave_a_message_goes_on(broker: Broker) -> None:
    """When the dead letter topic is gone, nothing is lost."""
    subscribe(broker, deadLetterPolicy={"deadLetterTopic": GRAVE, "maxDeliveryAttempts": 5})
    publish(broker, "poison")
    broker.delete_topic(GRAVE)
    for _ in range(7):
        broker.extend(SUB, [broker.take(SUB, 1)[0].ack_id], 0)

    assert texts(broker.take(SUB, 1)) == ["poison"]


def test_old_messages_are_dropped(broker: Broker, clock: VirtualClock) -> None:
    """What nobody took within the retention time is gone."""
    subscribe(broker, messageRetentionDuration="600s")
    publish(broker, "old")
    clock.advance(601)
    publish(broker, "new")

    assert texts(broker.take(SUB, 10)) == ["new"]


def test_seek_to_a_time(broker: Broker, clock: VirtualClock) -> None:
    """Back: acknowledged messages come again if they are retained. Forward: all is done."""
    subscribe(broker, retainAckedMessages=True)
    publish(broker, "1")
    clock.advance(60)
    middle = clock.now()
    publish(broker, "2", "3")
    broker.acknowledge(SUB, [item.ack_id for item in broker.take(SUB, 10)])

    broker.seek_time(SUB, middle)
    assert texts(broker.take(SUB, 10)) == ["2", "3"]
    broker.seek_time(SUB, clock.now() + 1)
    assert broker.take(SUB, 10) == []
    broker.seek_time(SUB, 0)
    assert texts(broker.take(SUB, 10)) == ["1", "2", "3"]


def test_without_retention_what_is_acknowledged_is_gone(broker: Broker) -> None:
    """A seek brings back only what was not acknowledged."""
    subscribe(broker)
    publish(broker, "1", "2")
    broker.acknowledge(SUB, [broker.take(SUB, 1)[0].ack_id])

    broker.seek_time(SUB, 0)

    assert texts(broker.take(SUB, 10)) == ["2"]


def test_a_topic_that_retains_serves_late_subscriptions(
    broker: Broker, clock: VirtualClock
) -> None:
    """With retention on the topic a new subscription can go back before its time."""
    broker.change_topic({"name": TOPIC, "messageRetentionDuration": "600s"})
    publish(broker, "too old")
    clock.advance(601)
    publish(broker, "1", team="risk")
    publish(broker, "2", team="other")
    subscribe(broker, filter='attributes.team = "risk"')
    assert broker.take(SUB, 10) == []

    broker.seek_time(SUB, 0)

    assert texts(broker.take(SUB, 10)) == ["1"]


def test_a_snapshot_brings_back_its_moment(broker: Broker) -> None:
    """What was open then, and all since, is open again; what was done then stays done."""
    subscribe(broker)
    publish(broker, "done", "open")
    broker.acknowledge(SUB, [broker.take(SUB, 1)[0].ack_id])
    name = "projects/p/snapshots/snap"
    broker.add_snapshot({"name": name, "topic": TOPIC}, SUB)
    publish(broker, "later")
    broker.acknowledge(SUB, [item.ack_id for item in broker.take(SUB, 10)])
    assert broker.take(SUB, 10) == []

    broker.seek_snapshot(SUB, name)

    assert texts(broker.take(SUB, 10)) == ["open", "later"]
    broker.delete_snapshot(name)
    with pytest.raises(ApiError, match="snap"):
        broker.seek_snapshot(SUB, name)


def test_a_deleted_topic_leaves_its_subscriptions(broker: Broker) -> None:
    """They keep what they have, and say that their topic is gone."""
    subscribe(broker)
    publish(broker, "last")
    broker.delete_topic(TOPIC)

    assert broker.subscription(SUB).resource["topic"] == "_deleted-topic_"
    assert texts(broker.take(SUB, 10)) == ["last"]
    with pytest.raises(ApiError, match=r"Resource not found \(resource=news\)"):
        publish(broker, "no")


def test_all_is_there_after_a_restart(broker: Broker, clock: VirtualClock, tmp_path: Path) -> None:
    """Unacknowledged messages, attempts, retained ones and snapshots survive."""
    subscribe(broker, retainAckedMessages=True, enableMessageOrdering=True)
    publish(broker, "1", "2", key="k", team="risk")
    one = broker.take(SUB, 1)[0]
    broker.acknowledge(SUB, [one.ack_id])
    two = broker.take(SUB, 1)[0]
    broker.extend(SUB, [two.ack_id], 0)
    snapshot = "projects/p/snapshots/snap"
    broker.add_snapshot({"name": snapshot, "topic": TOPIC}, SUB)
    # Not closed, as if it had been killed.

    again = Broker(tmp_path / "pubsub.db", clock)

    assert again.acknowledge(SUB, [two.ack_id]) == [two.ack_id]
    handed = again.take(SUB, 10)
    assert texts(handed) == ["2"]
    assert handed[0].attempt == 2
    assert handed[0].message.attributes == {"team": "risk"}
    again.seek_time(SUB, 0)
    assert texts(again.take(SUB, 10)) == ["1", "2"]
    again.seek_snapshot(SUB, snapshot)
    assert texts(again.take(SUB, 10)) == ["2"]
    assert int(again.publish(TOPIC, [Draft(b"3", {})])[0]) > handed[0].message.id
    again.close()


def test_the_journal_keeps_only_what_is_needed(broker: Broker) -> None:
    """Messages nobody wants, or all have acknowledged, leave nothing behind."""
    subscribe(broker, filter='attributes.team = "risk"')
    publish(broker, "unwanted", team="other")
    publish(broker, "wanted", team="risk")
    assert [message.data for message, _ in broker.journal.messages()] == [b"wanted"]

    broker.acknowledge(SUB, [broker.take(SUB, 1)[0].ack_id])

    assert list(broker.journal.messages()) == []


def test_numbers_are_never_given_twice(broker: Broker, clock: VirtualClock, tmp_path: Path) -> None:
    """Message ids grow, over a restart too, even when nobody keeps the messages."""
    first = broker.publish(TOPIC, [Draft(b"x", {})] * 3)

    again = Broker(tmp_path / "pubsub.db", clock)
    second = again.publish(TOPIC, [Draft(b"y", {})])
    again.close()

    assert int(second[0]) > max(map(int, first))


def test_a_snapshot_of_another_topic_is_refused(broker: Broker) -> None:
    """A subscription goes back to snapshots of its own topic only, and keeps what it has."""
    subscribe(broker)
    broker.add_subscription({"name": SUB + "-grave", **rules.subscription({"topic": GRAVE})})
    publish(broker, "1")
    broker.add_snapshot({"name": "snap", "topic": GRAVE}, SUB + "-grave")

    with pytest.raises(ApiError, match="topic"):
        broker.seek_snapshot(SUB, "snap")
    assert texts(broker.take(SUB, 10)) == ["1"]
