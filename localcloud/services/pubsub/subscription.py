"""One subscription at work: its queue, its journal entries, and who is told when there is more."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from localcloud.clock import seconds
from localcloud.services.pubsub.filters import compile_filter
from localcloud.services.pubsub.queue import Handed, Item, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.clock import Clock, Timer
    from localcloud.services.pubsub.journal import Journal
    from localcloud.services.pubsub.messages import Message

Resource = dict[str, Any]

_SECONDS_IN_DOUBT = 0.001
"""A timer is set this much late, so that what it is for has surely happened."""


class Subscription:
    """What a subscription holds; the broker calls it under its lock.

    Args:
        resource: the subscription as the API shows it.
        clock: the cloud's.
        journal: where what happens is written.
        bury: called with a message that has been delivered in vain too often.
        under_lock: runs a function under the broker's lock, for timers.
    """

    def __init__(
        self,
        resource: Resource,
        *,
        clock: Clock,
        journal: Journal,
        bury: Callable[[Subscription, Item], None],
        under_lock: Callable[[Callable[[], None]], None],
    ) -> None:
        self.resource = resource
        self.acked: dict[int, Message] = {}
        self.listeners: set[Callable[[], None]] = set()
        self._clock = clock
        self._journal = journal
        self._bury = bury
        self._under_lock = under_lock
        self._timer: Timer | None = None
        # Identifiers of an earlier process must not mean anything to this one.
        prefix, numbers = os.urandom(6).hex(), itertools.count(1)
        self.queue = Queue(
            ordered=bool(resource.get("enableMessageOrdering")),
            backoff=self._backoff,
            next_ack_id=lambda: f"{prefix}-{next(numbers)}",
        )
        self.matches = compile_filter(resource.get("filter", ""))

    @property
    def name(self) -> str:
        """The full name."""
        return str(self.resource["name"])

    @property
    def lease_seconds(self) -> float:
        """How long a subscriber has to acknowledge."""
        return float(self.resource["ackDeadlineSeconds"])

    def load(self, messages: dict[int, Message]) -> None:
        """Take up what the journal says is not acknowledged."""
        for number, acked, attempts in self._journal.deliveries(self.name):
            if acked:
                self.acked[number] = messages[number]
            else:
                self.queue.add(messages[number], attempts)

    def offer(self, messages: Iterable[Message]) -> None:
        """Take in what was published, as far as the filter lets it through."""
        wanted = [message for message in messages if self.matches(message.attributes)]
        if not wanted or self.resource.get("detached"):
            return
        self._journal.hold(self.name, [message.id for message in wanted])
        for message in wanted:
            self.queue.add(message)

    def take(self, most: int, *, lease: float | None = None, **limits: Any) -> list[Handed]:
        """Hand out messages under leases; see `Queue.take` for further limits."""
        self.refresh()
        span = lease or self.lease_seconds
        handed = self.queue.take(most, self._clock.now(), seconds=span, **limits)
        self._set_timer()
        return handed

    def give_back(self, ack_ids: Iterable[str]) -> None:
        """Take back messages that never reached who was to have them."""
        for ack_id in ack_ids:
            self.queue.refuse(ack_id, self._clock.now(), seen=False)
        self.announce()

    def acknowledge(self, ack_ids: Iterable[str]) -> list[str]:
        """Forget what is acknowledged; return the identifiers that mean nothing any more."""
        unknown: list[str] = []
        done: list[Message] = []
        for ack_id in ack_ids:
            if self.queue.lease(ack_id) is None:
                unknown.append(ack_id)
            else:
                done.extend(self.queue.acknowledge(ack_id))
        retain = bool(self.resource.get("retainAckedMessages"))
        if retain:
            self.acked |= {message.id: message for message in done}
        self._release([message.id for message in done], keep=retain)
        self.announce()
        return unknown

    def extend(self, ack_ids: Iterable[str], span: float) -> list[str]:
        """Move deadlines, or with 0 seconds take messages back; return the unknown identifiers."""
        unknown: list[str] = []
        now = self._clock.now()
        for ack_id in ack_ids:
            if self.queue.lease(ack_id) is None:
                unknown.append(ack_id)
            elif span > 0:
                self.queue.extend(ack_id, now, span)
            else:
                self._failed(self.queue.refuse(ack_id, now))
        self.announce()
        return unknown

    def refresh(self) -> None:
        """Take back what was not acknowledged in time, and drop what is too old."""
        now = self._clock.now()
        for item in self.queue.expire(now):
            self._failed(item)
        oldest = now - seconds(self.resource["messageRetentionDuration"])
        stale = [number for number, message in self.acked.items() if message.published < oldest]
        for number in stale:
            del self.acked[number]
        first, late = self.queue.oldest, []
        if first is not None and first.published < oldest:
            late = [m.id for m in self.queue.waiting if m.published < oldest]
        for number in late:
            self.queue.forget(number)
        if stale or late:
            with self._journal.transaction():
                self._journal.release(self.name, [*stale, *late])

    def begin_anew(self, waiting: list[Message], acked: list[Message]) -> None:
        """Forget all that was and hold exactly these, as a seek does."""
        self.queue.reset(waiting)
        self.acked = {message.id: message for message in acked}
        with self._journal.transaction():
            self._journal.replace(self.name, [m.id for m in waiting], self.acked)
            self._journal.drop_unheld()
        self.announce()

    def drop(self, number: int) -> None:
        """Forget one message that was dead-lettered."""
        self.queue.forget(number)
        self._release([number], keep=False)

    def announce(self) -> None:
        """Tell whoever listens if something may go out."""
        self._set_timer()
        if self.queue.has_ready(self._clock.now()):
            self.wake()

    def wake(self) -> None:
        """Tell whoever listens to look again."""
        for listener in list(self.listeners):
            listener()

    def close(self) -> None:
        """Stop the timer; the subscription is gone or the cloud stops."""
        if self._timer is not None:
            self._timer.cancel()

    def _release(self, done: list[int], *, keep: bool) -> None:
        if done:
            with self._journal.transaction():
                self._journal.release(self.name, done, keep=keep)

    def _failed(self, item: Item | None) -> None:
        if item is None:
            return
        policy = self.resource.get("deadLetterPolicy") or {}
        most = int(policy.get("maxDeliveryAttempts", 0))
        if policy.get("deadLetterTopic") and item.attempts >= most:
            self._bury(self, item)
        else:
            self._journal.attempted(self.name, item.message.id, item.attempts)

    def _backoff(self, attempts: int) -> float:
        policy = self.resource.get("retryPolicy")
        push = (self.resource.get("pushConfig") or {}).get("pushEndpoint")
        if not policy and not push:
            return 0.0
        # Without a policy a push endpoint is still spared: from 0.1 seconds up to a minute.
        low, high = ("10s", "600s") if policy else ("0.1s", "60s")
        policy = policy or {}
        first = seconds(policy.get("minimumBackoff", low))
        last = seconds(policy.get("maximumBackoff", high))
        return min(last, first * 2.0 ** min(attempts - 1, 30))

    def _set_timer(self) -> None:
        when = self.queue.next_event()
        if self._timer is not None:
            if (
                when is not None
                and not self._timer.cancelled
                and self._timer.when <= when + _SECONDS_IN_DOUBT
            ):
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            late = when + _SECONDS_IN_DOUBT
            self._timer = self._clock.call_at(late, lambda: self._under_lock(self._tick))

    def _tick(self) -> None:
        self._timer = None
        self.refresh()
        self.announce()
