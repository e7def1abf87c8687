"""The broker and ordering keys: who gets what of a key, and what comes back with what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.localcloud.services.pubsub.paper_broker import SUB, publish, subscribe, texts

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.services.pubsub.broker import Broker


def test_a_key_keeps_its_order(broker: Broker) -> None:
    """Nothing of a key goes out while something of it is out; other keys do not wait."""
    subscribe(broker, enableMessageOrdering=True)
    publish(broker, "1", "2", key="k")
    publish(broker, "x", key="other")

    first = broker.take(SUB, 10, one_each=True)
    assert texts(first) == ["1", "x"]
    assert broker.take(SUB, 10, one_each=True) == []
    broker.acknowledge(SUB, [first[0].ack_id])

    assert texts(broker.take(SUB, 10, one_each=True)) == ["2"]


def test_a_refused_message_brings_back_what_followed(broker: Broker) -> None:
    """In order, with what was acknowledged after it too."""
    subscribe(broker, enableMessageOrdering=True)
    publish(broker, "0", "1", "2", "3", key="k")
    batch = broker.take(SUB, 10)
    assert texts(batch) == ["0", "1", "2", "3"]
    broker.acknowledge(SUB, [batch[0].ack_id, batch[2].ack_id])

    broker.extend(SUB, [batch[1].ack_id], 0)

    assert texts(broker.take(SUB, 10)) == ["1", "2", "3"]
    assert broker.acknowledge(SUB, [batch[3].ack_id]) == [batch[3].ack_id]


def test_a_holder_gets_the_rest_of_a_key_and_nobody_else(broker: Broker) -> None:
    """What follows goes to who has what came before; when he leaves, it waits for the leases."""
    subscribe(broker, enableMessageOrdering=True)
    publish(broker, "0", key="k")
    (first,) = broker.take(SUB, 10, holder="stream")
    publish(broker, "1", "2", "3", key="k")

    assert broker.take(SUB, 10) == []
    assert broker.take(SUB, 10, holder="another") == []
    second = broker.take(SUB, 2, holder="stream")
    assert texts(second) == ["1", "2"]
    broker.subscription(SUB).queue.leave("stream")
    assert broker.take(SUB, 10, holder="another") == []
    broker.acknowledge(SUB, [first.ack_id, *(item.ack_id for item in second)])
    assert texts(broker.take(SUB, 10, holder="another")) == ["3"]


def test_what_a_holder_refuses_comes_back_to_him_with_what_followed(broker: Broker) -> None:
    """Although something before it is still out."""
    subscribe(broker, enableMessageOrdering=True)
    publish(broker, "0", "1", "2", key="k")
    batch = broker.take(SUB, 10, holder="stream")

    broker.extend(SUB, [batch[1].ack_id], 0)

    assert broker.take(SUB, 10) == []
    assert texts(broker.take(SUB, 10, holder="stream")) == ["1", "2"]


def test_what_was_never_sent_is_given_back_as_new(broker: Broker) -> None:
    """No attempt is counted and no backoff kept, with a key and without."""
    retry = {"minimumBackoff": "5s"}
    subscribe(broker, enableMessageOrdering=True, retryPolicy=retry)
    publish(broker, "0", "1", key="k")
    publish(broker, "free")
    taken = broker.take(SUB, 10, holder="gone")

    broker.subscription(SUB).give_back([item.ack_id for item in taken])

    again = broker.take(SUB, 10)
    assert texts(again) == ["0", "1", "free"]
    assert {item.attempt for item in again} == {1}


def test_giving_back_keeps_a_backoff_that_runs(broker: Broker, clock: VirtualClock) -> None:
    """The lane waits for what was refused, whatever else comes back to it meanwhile."""
    subscribe(broker, enableMessageOrdering=True, retryPolicy={"minimumBackoff": "5s"})
    publish(broker, "0", "1", key="k")
    first, second = broker.take(SUB, 10, holder="stream")
    broker.extend(SUB, [second.ack_id], 0)

    broker.subscription(SUB).give_back([first.ack_id])

    assert broker.take(SUB, 10) == []
    clock.advance(5.1)
    assert texts(broker.take(SUB, 10)) == ["0", "1"]


def test_a_late_key_comes_back_in_order(broker: Broker, clock: VirtualClock) -> None:
    """A deadline that passes does the same as a refusal."""
    subscribe(broker, enableMessageOrdering=True)
    publish(broker, "0", "1", "2", key="k")
    broker.take(SUB, 10)

    clock.advance(11)

    assert texts(broker.take(SUB, 10)) == ["0", "1", "2"]


def test_a_backoff_holds_the_whole_key(broker: Broker, clock: VirtualClock) -> None:
    """While the first message of a key waits, the others wait too."""
    subscribe(broker, enableMessageOrdering=True, retryPolicy={"minimumBackoff": "5s"})
    publish(broker, "0", "1", key="k")
    publish(broker, "free", key="other")
    out = broker.take(SUB, 10, one_each=True)
    broker.extend(SUB, [out[0].ack_id], 0)

    assert broker.take(SUB, 10) == []
    clock.advance(5.1)

    assert texts(broker.take(SUB, 10)) == ["0", "1"]


def test_without_ordering_keys_mean_nothing(broker: Broker) -> None:
    """A plain subscription hands out all of a key at once."""
    subscribe(broker)
    publish(broker, "1", "2", key="k")

    assert texts(broker.take(SUB, 10, one_each=True)) == ["1", "2"]
