"""Which message of a subscription may go out next, and what becomes of those that did.

A queue knows nothing of topics, disks or doors: it is given messages, hands them out under
leases, and takes back what is refused or not acknowledged in time. Time is an argument.

With ordering, the messages of one key form a lane. While something of it is out, the rest of it
goes to nobody but who holds that, and when one message comes back, all that followed it come back
with it, in order.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.services.pubsub.messages import Message


@dataclass(slots=True, eq=False)
class Item:
    """A message waiting to be acknowledged, and how often it went out in vain."""

    message: Message
    attempts: int = 0


@dataclass(slots=True, eq=False)
class Lease:
    """A message that is out, and until when."""

    ack_id: str
    item: Item
    deadline: float


@dataclass(slots=True)
class Lane:
    """The messages of one ordering key: those to go out, those that are, and who has them."""

    waiting: deque[Item] = field(default_factory=deque)
    out: dict[int, Item] = field(default_factory=dict)
    acked: set[int] = field(default_factory=set)
    not_before: float = 0.0
    holder: object = None


class Handed(NamedTuple):
    """What a subscriber gets."""

    ack_id: str
    message: Message
    attempt: int


class Queue:
    """The messages of one subscription, from their arrival to their acknowledgement.

    Args:
        ordered: whether messages with the same key are kept in order.
        backoff: seconds to wait after so many failed attempts.
        next_ack_id: makes the identifiers of leases.
    """

    def __init__(
        self,
        *,
        ordered: bool,
        backoff: Callable[[int], float],
        next_ack_id: Callable[[], str],
    ) -> None:
        self.ordered = ordered
        self.backoff = backoff
        self._next_ack_id = next_ack_id
        self._ready: list[tuple[int, str]] = []
        self._delayed: list[tuple[float, int, str]] = []
        self._deadlines: list[tuple[float, int, str]] = []
        self._items: dict[int, Item] = {}
        self._lanes: dict[str, Lane] = {}
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        """Return how many messages are not acknowledged."""
        return len(self._items)

    @property
    def waiting(self) -> list[Message]:
        """All messages that are not acknowledged, in order of arrival."""
        return [self._items[number].message for number in sorted(self._items)]

    @property
    def oldest(self) -> Message | None:
        """The first message that is not acknowledged."""
        return next((item.message for item in self._items.values()), None)

    def lease(self, ack_id: str) -> Lease | None:
        """Return a lease that still holds, by its identifier."""
        return self._leases.get(ack_id)

    def add(self, message: Message, attempts: int = 0) -> None:
        """Take in a message that arrives, after all that came before it."""
        item = self._items[message.id] = Item(message, attempts)
        key = self._key(message)
        if not key:
            heapq.heappush(self._ready, (message.id, ""))
            return
        lane = self._lanes.setdefault(key, Lane())
        lane.waiting.append(item)
        if len(lane.waiting) == 1 and (not lane.out or lane.holder is not None):
            self._announce(key, lane)

    def has_ready(self, now: float) -> bool:
        """Say whether something may go out now."""
        self._wake(now)
        while self._ready:
            number, key = self._ready[0]
            if self._may_go(number, key, now):
                return True
            heapq.heappop(self._ready)
        return False

    def take(
        self,
        most: int,
        now: float,
        *,
        seconds: float,
        one_each: bool = False,
        holder: object = None,
        most_bytes: float = math.inf,
    ) -> list[Handed]:
        """Hand out at most *most* messages under leases of *seconds*.

        A lane gives as many as there is room for, or with *one_each* a single one, and goes on
        giving to a *holder* what it still has out. The last message may go beyond *most_bytes*.
        """
        handed: list[Handed] = []
        others: list[tuple[int, str]] = []
        while len(handed) < most and most_bytes > 0 and self.has_ready(now):
            number, key = heapq.heappop(self._ready)
            lane = self._lanes[key] if key else None
            if lane is None:
                items = [self._items[number]]
            elif lane.out and lane.holder is not holder:
                others.append((number, key))
                continue
            else:
                lane.holder, lane.not_before = holder, 0.0
                items = self._next_of(lane, 1 if one_each else most - len(handed), most_bytes)
                if holder is not None:
                    self._announce(key, lane)
            for item in items:
                handed.append(self._lend(item, now, seconds))
                most_bytes -= len(item.message.data)
        for entry in others:
            heapq.heappush(self._ready, entry)
        return handed

    def leave(self, holder: object) -> None:
        """Give what a holder would get next to whoever asks once its leases are over."""
        for lane in self._lanes.values():
            if lane.holder is holder:
                lane.holder = None

    def acknowledge(self, ack_id: str) -> list[Message]:
        """Take a lease as done and return the messages that may be forgotten now.

        In a lane a message is only done when all before it are: until then it may come again.
        """
        lease = self._leases.pop(ack_id, None)
        if lease is None:
            return []
        number = lease.item.message.id
        lane = self._lane(lease.item)
        if lane is None:
            del self._items[number]
            return [lease.item.message]
        lane.acked.add(number)
        done: list[Message] = []
        for first in list(lane.out):
            if first not in lane.acked:
                break
            lane.acked.discard(first)
            done.append(lane.out.pop(first).message)
            del self._items[first]
        if not lane.out:
            self._announce(lease.item.message.key, lane)
        return done

    def extend(self, ack_id: str, now: float, seconds: float) -> None:
        """Move the deadline of a lease, which lasts *seconds* from now on."""
        lease = self._leases.get(ack_id)
        if lease is not None:
            lease.deadline = now + seconds
            heapq.heappush(self._deadlines, (lease.deadline, lease.item.message.id, ack_id))

    def refuse(self, ack_id: str, now: float, *, seen: bool = True) -> Item | None:
        """Take a message back at once; it goes out again after its backoff.

        One that nobody has *seen* goes out as if it had never been taken.
        """
        lease = self._leases.pop(ack_id, None)
        if lease is None:
            return None
        item = lease.item
        item.attempts += seen
        wait = self.backoff(item.attempts) if seen else 0.0
        ready_at = now + wait if wait else 0.0
        lane = self._lane(item)
        if lane is None:
            self._put_back(ready_at, item.message.id)
        else:
            self._rewind(lane, item.message.id)
            lane.not_before = max(ready_at, lane.not_before)
            self._announce(item.message.key, lane)
        return item

    def expire(self, now: float) -> list[Item]:
        """Take back whatever was not acknowledged in time."""
        returned: list[Item] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            deadline, _, ack_id = heapq.heappop(self._deadlines)
            lease = self._leases.get(ack_id)
            # An extended lease has another entry further on.
            if lease is not None and lease.deadline <= deadline:
                item = self.refuse(ack_id, now)
                if item is not None:
                    returned.append(item)
        return returned

    def forget(self, number: int) -> None:
        """Drop a message without an acknowledgement: it was dead-lettered, or is too old."""
        item = self._items.pop(number, None)
        if item is None:
            return
        for ack_id in [a for a, lease in self._leases.items() if lease.item is item]:
            del self._leases[ack_id]
        lane = self._lane(item)
        if lane is not None:
            if item in lane.waiting:
                lane.waiting.remove(item)
            lane.out.pop(number, None)
            self._announce(item.message.key, lane)

    def reset(self, messages: Iterable[Message]) -> None:
        """Begin anew with *messages*, as a seek does; all leases are void."""
        self._items.clear()
        self._lanes.clear()
        self._leases.clear()
        self._ready.clear()
        self._delayed.clear()
        self._deadlines.clear()
        for message in messages:
            self.add(message)

    def next_event(self) -> float | None:
        """Return when the queue changes by itself: a lease ends or a backoff is over."""
        while self._deadlines:
            deadline, _, ack_id = self._deadlines[0]
            lease = self._leases.get(ack_id)
            if lease is not None and lease.deadline == deadline:
                break
            heapq.heappop(self._deadlines)
        moments = [heap[0][0] for heap in (self._deadlines, self._delayed) if heap]
        return min(moments) if moments else None

    def _key(self, message: Message) -> str:
        return message.key if self.ordered else ""

    def _lane(self, item: Item) -> Lane | None:
        key = self._key(item.message)
        return self._lanes.get(key) if key else None

    def _announce(self, key: str, lane: Lane) -> None:
        if not lane.out:
            lane.holder = None
        if lane.waiting:
            self._put_back(lane.not_before, lane.waiting[0].message.id, key)
        elif not lane.out:
            self._lanes.pop(key, None)

    def _may_go(self, number: int, key: str, now: float) -> bool:
        if not key:
            return number in self._items
        lane = self._lanes.get(key)
        return (
            lane is not None
            and (not lane.out or lane.holder is not None)
            and bool(lane.waiting)
            and lane.waiting[0].message.id == number
            and lane.not_before <= now
        )

    def _next_of(self, lane: Lane, most: int, most_bytes: float) -> list[Item]:
        items: list[Item] = []
        while lane.waiting and len(items) < most and most_bytes > 0:
            item = lane.waiting.popleft()
            lane.out[item.message.id] = item
            items.append(item)
            most_bytes -= len(item.message.data)
        return items

    def _wake(self, now: float) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            _, number, key = heapq.heappop(self._delayed)
            heapq.heappush(self._ready, (number, key))

    def _put_back(self, ready_at: float, number: int, key: str = "") -> None:
        if ready_at:
            heapq.heappush(self._delayed, (ready_at, number, key))
        else:
            heapq.heappush(self._ready, (number, key))

    def _rewind(self, lane: Lane, number: int) -> None:
        returning = [item for key, item in lane.out.items() if key >= number]
        for item in reversed(returning):
            lane.waiting.appendleft(item)
            del lane.out[item.message.id]
            lane.acked.discard(item.message.id)
        void = {id(item) for item in returning}
        for ack_id in [a for a, lease in self._leases.items() if id(lease.item) in void]:
            del self._leases[ack_id]
        # What came before is still out: its acknowledgement sets the lane free.

    def _lend(self, item: Item, now: float, seconds: float) -> Handed:
        lease = Lease(self._next_ack_id(), item, now + seconds)
        self._leases[lease.ack_id] = lease
        heapq.heappush(self._deadlines, (lease.deadline, item.message.id, lease.ack_id))
        return Handed(lease.ack_id, item.message, item.attempts + 1)
