"""The broker: topics, subscriptions and snapshots of one cloud, behind both doors.

Everything happens under one lock, and what a publisher or subscriber is told has been written
down before. Nobody waits inside: who wants to wait listens.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from localcloud.clock import rfc3339, seconds
from localcloud.errors import already_exists, invalid, not_found
from localcloud.services.pubsub import messages
from localcloud.services.pubsub.journal import Journal
from localcloud.services.pubsub.messages import Draft, Message
from localcloud.services.pubsub.shelf import Shelf
from localcloud.services.pubsub.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from localcloud.clock import Clock
    from localcloud.services.pubsub.queue import Handed, Item

Resource = dict[str, Any]

_Kind = TypeVar("_Kind")

DELETED_TOPIC = "_deleted-topic_"
"""What a subscription shows as its topic once that is gone."""


@dataclass
class Topic:
    """A topic, and the messages it keeps although all have acknowledged them."""

    resource: Resource
    log: dict[int, Message] = field(default_factory=dict)


@dataclass
class Snapshot:
    """What a subscription had not acknowledged at one moment, and the last message before it."""

    resource: Resource
    backlog: dict[int, Message]
    last: int


class Broker:
    """One cloud's Pub/Sub.

    Args:
        path: the journal's file.
        clock: the cloud's.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.journal = Journal(path)
        self.shelf = Shelf(self.journal, clock)
        self._load()

    def close(self) -> None:
        """Stop all timers and let go of the journal."""
        with self.lock:
            for subscription in self.subscriptions.values():
                subscription.close()
            self.journal.close()

    # Topics

    def topic(self, name: str) -> Topic:
        """Return a topic; 404 if there is none."""
        with self.lock:
            return _found(self.topics, name)

    def add_topic(self, resource: Resource) -> None:
        """Make a topic; 409 if there is one of that name."""
        with self.lock:
            _absent(self.topics, resource["name"])
            self.journal.put("topic", resource)
            self.topics[resource["name"]] = Topic(resource)

    def change_topic(self, resource: Resource) -> None:
        """Store a topic's changed resource."""
        with self.lock:
            self.journal.put("topic", resource)
            self.topic(resource["name"]).resource = resource
            self._trim(resource["name"])

    def delete_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay, and keep what they have."""
        with self.lock, self.journal.transaction():
            self.topic(name)
            del self.topics[name]
            self.journal.remove(name)
            for subscription in self.subscriptions_of(name):
                subscription.resource["topic"] = DELETED_TOPIC
                self.journal.put("subscription", subscription.resource)
            for snapshot in self.snapshots_of(name):
                snapshot.resource["topic"] = DELETED_TOPIC
                self._write_snapshot(snapshot)
            self.journal.unlog(name, self.clock.now() + 1)

    def subscriptions_of(self, topic: str) -> list[Subscription]:
        """Return the subscriptions of a topic."""
        return [s for s in self.subscriptions.values() if s.resource["topic"] == topic]

    def snapshots_of(self, topic: str) -> list[Snapshot]:
        """Return the snapshots of a topic."""
        return [s for s in self.snapshots.values() if s.resource["topic"] == topic]

    def publish(self, name: str, drafts: list[Draft]) -> list[str]:
        """Publish messages and return their numbers; once returned, they are written down."""
        messages.check(drafts)
        with self.lock:
            settings = self.topic(name).resource.get("schemaSettings")
            if settings is not None:
                drafts = self.shelf.accept(settings, drafts)
            return self._publish(name, drafts)

    def _publish(self, name: str, drafts: list[Draft]) -> list[str]:
        with self.lock:
            topic = self.topic(name)
            subscriptions = self.subscriptions_of(name)
            logged = self._keeps(topic)
            now = self.clock.now()
            with self.journal.transaction():
                numbers = self.journal.next_numbers(len(drafts))
                made = [
                    Message(number, name, draft.data, draft.attributes, draft.key, now)
                    for number, draft in zip(numbers, drafts, strict=True)
                ]
                wanted = made if logged else [m for m in made if _wanted(m, subscriptions)]
                self.journal.add(wanted, logged=logged)
                for subscription in subscriptions:
                    subscription.offer(wanted)
            if logged:
                topic.log |= {message.id: message for message in made}
                self._trim(name)
            for subscription in subscriptions:
                subscription.announce()
            return [str(message.id) for message in made]

    # Subscriptions

    def subscription(self, name: str) -> Subscription:
        """Return a subscription; 404 if there is none."""
        with self.lock:
            return _found(self.subscriptions, name)

    def add_subscription(self, resource: Resource) -> Subscription:
        """Make a subscription, which gets what is published from now on."""
        with self.lock:
            _absent(self.subscriptions, resource["name"])
            made = self._subscription(resource)
            self.journal.put("subscription", resource)
            self.subscriptions[resource["name"]] = made
            return made

    def change_subscription(self, resource: Resource) -> None:
        """Store a subscription's changed resource."""
        with self.lock:
            subscription = self.subscription(resource["name"])
            self.journal.put("subscription", resource)
            subscription.resource = resource
            subscription.wake()

    def delete_subscription(self, name: str) -> None:
        """Delete a subscription with all it has; who listens is told."""
        with self.lock, self.journal.transaction():
            subscription = self.subscription(name)
            del self.subscriptions[name]
            self.journal.remove(name)
            self.journal.drop_unheld()
            subscription.close()
            subscription.wake()

    def take(self, name: str, most: int, **limits: Any) -> list[Handed]:
        """Hand out messages of a subscription under leases; see `Subscription.take`."""
        with self.lock:
            return self.subscription(name).take(most, **limits)

    def acknowledge(self, name: str, ack_ids: Iterable[str]) -> list[str]:
        """Acknowledge messages; return the identifiers that mean nothing any more."""
        with self.lock, self.journal.transaction():
            return self.subscription(name).acknowledge(ack_ids)

    def extend(self, name: str, ack_ids: Iterable[str], span: float) -> list[str]:
        """Move deadlines; 0 seconds give messages back."""
        with self.lock:
            return self.subscription(name).extend(ack_ids, span)

    def listen(self, name: str, listener: Callable[[], None]) -> None:
        """Have *listener* called, under the lock, whenever something may go out."""
        with self.lock:
            self.subscription(name).listeners.add(listener)

    def leave(self, name: str, listener: Callable[[], None]) -> None:
        """Stop listening."""
        with self.lock:
            subscription = self.subscriptions.get(name)
            if subscription is not None:
                subscription.listeners.discard(listener)

    # Time travel

    def add_snapshot(self, resource: Resource, subscription: str) -> None:
        """Keep what a subscription has not acknowledged at this moment."""
        with self.lock, self.journal.transaction():
            _absent(self.snapshots, resource["name"])
            backlog = {m.id: m for m in self.subscription(subscription).queue.waiting}
            last = self.journal.next_numbers(1)[0]
            made = Snapshot(resource, backlog, last)
            self.snapshots[resource["name"]] = made
            self._write_snapshot(made)
            self.journal.hold(resource["name"], backlog)

    def change_snapshot(self, resource: Resource) -> None:
        """Store a snapshot's changed resource."""
        with self.lock:
            snapshot = self.snapshot(resource["name"])
            snapshot.resource = resource
            self._write_snapshot(snapshot)

    def snapshot(self, name: str) -> Snapshot:
        """Return a snapshot; 404 if there is none, or none any more."""
        with self.lock:
            self.drop_expired()
            return _found(self.snapshots, name)

    def drop_expired(self) -> None:
        """Delete the snapshots whose time is over."""
        now = rfc3339(self.clock.now())
        with self.lock:
            late = [s for s in self.snapshots.values() if s.resource.get("expireTime", now) < now]
            for snapshot in late:
                self._forget_snapshot(snapshot)

    def delete_snapshot(self, name: str) -> None:
        """Delete a snapshot and what only it kept."""
        with self.lock:
            self._forget_snapshot(self.snapshot(name))

    def _forget_snapshot(self, snapshot: Snapshot) -> None:
        with self.journal.transaction():
            del self.snapshots[snapshot.resource["name"]]
            self.journal.remove(snapshot.resource["name"])
            self._trim(snapshot.resource["topic"])
            self.journal.drop_unheld()

    def seek_time(self, name: str, when: float) -> None:
        """Make everything published before a moment acknowledged, and all since then not."""
        with self.lock:
            subscription = self.subscription(name)
            known = self._known(subscription)
            self._begin_anew(subscription, known, [m for m in known if m.published >= when])

    def seek_snapshot(self, name: str, snapshot: str) -> None:
        """Give a subscription back what a snapshot kept, and all that was published since."""
        with self.lock:
            subscription, kept = self.subscription(name), self.snapshot(snapshot)
            if subscription.resource["topic"] != kept.resource["topic"]:
                raise invalid("The snapshot's topic is not that of the subscription.")
            known = {m.id: m for m in self._known(subscription)} | kept.backlog
            waiting = [m for m in known.values() if m.id in kept.backlog or m.id > kept.last]
            self._begin_anew(subscription, list(known.values()), waiting)

    def _known(self, subscription: Subscription) -> list[Message]:
        known = {m.id: m for m in subscription.queue.waiting} | subscription.acked
        topic = self.topics.get(subscription.resource["topic"])
        if topic is not None:
            known |= {m.id: m for m in topic.log.values() if subscription.matches(m.attributes)}
        return list(known.values())

    def _begin_anew(
        self, subscription: Subscription, known: list[Message], waiting: list[Message]
    ) -> None:
        chosen = {message.id for message in waiting}
        rest = [message for message in known if message.id not in chosen]
        retain = subscription.resource.get("retainAckedMessages")
        waiting.sort(key=lambda message: message.id)
        subscription.begin_anew(waiting, rest if retain else [])

    # Inside

    def _load(self) -> None:
        with self.journal.transaction():
            self.journal.drop_unheld()
        everything: dict[int, Message] = {}
        for resource in self.journal.resources("topic"):
            self.topics[resource["name"]] = Topic(resource)
        for message, logged in self.journal.messages():
            everything[message.id] = message
            if logged and message.topic in self.topics:
                self.topics[message.topic].log[message.id] = message
        for resource in self.journal.resources("subscription"):
            made = self.subscriptions[resource["name"]] = self._subscription(resource)
            made.load(everything)
        for stored in self.journal.resources("snapshot"):
            last = stored.pop("last")
            held = self.journal.deliveries(stored["name"])
            backlog = {number: everything[number] for number, _, _ in held}
            self.snapshots[stored["name"]] = Snapshot(stored, backlog, last)

    def _subscription(self, resource: Resource) -> Subscription:
        return Subscription(
            resource,
            clock=self.clock,
            journal=self.journal,
            bury=self._bury,
            under_lock=self._under_lock,
        )

    def _under_lock(self, function: Callable[[], None]) -> None:
        with self.lock:
            function()

    def _bury(self, subscription: Subscription, item: Item) -> None:
        grave = subscription.resource["deadLetterPolicy"]["deadLetterTopic"]
        if grave not in self.topics:
            # As with Google, what cannot be forwarded goes on being delivered.
            return
        message = item.message
        attributes = message.attributes | {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(item.attempts),
            "CloudPubSubDeadLetterSourceSubscription": subscription.name.rpartition("/")[2],
            "CloudPubSubDeadLetterSourceSubscriptionProject": subscription.name.split("/")[1],
            "CloudPubSubDeadLetterSourceTopicPublishTime": message.shown()["publishTime"],
        }
        with self.journal.transaction():
            # Not checked again: what is added here may go beyond a publisher's limits.
            self._publish(grave, [Draft(message.data, attributes, message.key)])
            subscription.drop(message.id)

    def _keeps(self, topic: Topic) -> bool:
        kept = topic.resource.get("messageRetentionDuration")
        return bool(kept) or bool(self.snapshots_of(topic.resource["name"]))

    def _trim(self, name: str) -> None:
        topic = self.topics.get(name)
        if topic is None or not topic.log:
            return
        now = self.clock.now()
        kept = seconds(topic.resource.get("messageRetentionDuration"))
        oldest = now - kept if kept else now + 1
        snapshots = self.snapshots_of(name)
        if snapshots:
            first = min(snapshot.last for snapshot in snapshots)
            # The log is in order, so the first one found is the oldest that a snapshot needs.
            needed = (m.published for m in topic.log.values() if m.id > first)
            oldest = min(oldest, next(needed, oldest))
        if next(iter(topic.log.values())).published < oldest:
            topic.log = {n: m for n, m in topic.log.items() if m.published >= oldest}
            with self.journal.transaction():
                self.journal.unlog(name, oldest)

    def _write_snapshot(self, snapshot: Snapshot) -> None:
        self.journal.put("snapshot", {**snapshot.resource, "last": snapshot.last})


def _wanted(message: Message, subscriptions: list[Subscription]) -> bool:
    return any(s.matches(message.attributes) for s in subscriptions)


def _absent(table: dict[str, Any], name: str) -> None:
    if name in table:
        raise already_exists(
            f"Resource already exists in the project (resource={name.rpartition('/')[2]})."
        )


def _found(table: dict[str, _Kind], name: str) -> _Kind:
    found = table.get(name)
    if found is None:
        raise not_found(f"Resource not found (resource={name.rpartition('/')[2]}).")
    return found
