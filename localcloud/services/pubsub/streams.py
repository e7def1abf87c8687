"""Streaming pull, which only gRPC has."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from google.pubsub_v1 import types

from localcloud.doors.streaming import StreamMethod, admitted
from localcloud.errors import invalid
from localcloud.services.pubsub.brokers import broker_of
from localcloud.services.pubsub.subscriptions import check_span, refuse_pull

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator

    from localcloud.cloud import Cloud
    from localcloud.faults.planned import Fault
    from localcloud.services.pubsub.broker import Broker
    from localcloud.services.pubsub.queue import Handed

log = logging.getLogger(__name__)

METHOD = "pubsub.projects.subscriptions.streamingPull"
"""The name of a streaming pull in the call log and for planned faults: no document has one."""

_MOST_AT_ONCE = 500
_MOST_BYTES = 4_000_000
_LEASES = range(10, 601)


async def pull(
    cloud: Cloud, first: Any, requests: AsyncIterator[Any], headers: dict[str, str]
) -> AsyncGenerator[Any]:
    """Yield what a subscriber's stream is sent until he goes away."""
    stream = await asyncio.to_thread(_open, cloud, first, headers)
    async with aclosing(stream.run(requests)) as responses:
        async for response in responses:
            yield response


def _open(cloud: Cloud, first: Any, headers: dict[str, str]) -> Stream:
    """Check who asks and whether he may, and begin."""
    name = cloud.by_id(first.subscription)
    right, like = "pubsub.subscriptions.consume", "pubsub.projects.subscriptions.pull"
    with admitted(cloud, METHOD, right, [name], headers=headers, like=like) as fault:
        broker = broker_of(cloud)
        refuse_pull(broker.subscription(name).resource)
        _check_lease(first.stream_ack_deadline_seconds)
        return Stream(broker, name, first, fault)


def _check_lease(span: int) -> None:
    if span not in _LEASES:
        raise invalid(
            f"Invalid stream ack deadline given: {span}. It must be between 10 and 600 seconds."
        )


class Stream:
    """One subscriber's stream: what it asked for, and what it has out.

    Args:
        broker: where the messages are.
        name: the subscription.
        first: the request that opened the stream.
        fault: what breaks the stream after its first messages, as planned.
    """

    def __init__(self, broker: Broker, name: str, first: Any, fault: Fault | None = None) -> None:
        self._broker = broker
        self._name = name
        self._lease = float(first.stream_ack_deadline_seconds)
        self._most = first.max_outstanding_messages
        self._most_bytes = first.max_outstanding_bytes
        self._fault = fault
        self._out: dict[str, int] = {}
        self._unsent: set[str] = set()
        self._open = True
        self._take_orders(first)

    async def run(self, requests: AsyncIterator[Any]) -> AsyncGenerator[Any]:
        """Yield responses until the client goes away."""
        loop, more = asyncio.get_running_loop(), asyncio.Event()

        def listener() -> None:
            loop.call_soon_threadsafe(more.set)

        self._broker.listen(self._name, listener)
        reader = asyncio.create_task(self._read(requests, more))
        try:
            while not reader.done():
                more.clear()
                handed = await asyncio.to_thread(self._take)
                for response in self._responses(handed):
                    yield response
                    self._unsent -= {message.ack_id for message in response.received_messages}
                if handed and self._fault is not None:
                    self._fault.afterwards()
                if not handed:
                    await more.wait()
            # A stream that ended badly ends the same way here.
            reader.result()
        finally:
            reader.cancel()
            self._broker.leave(self._name, listener)
            self._close()

    async def _read(self, requests: AsyncIterator[Any], more: asyncio.Event) -> None:
        try:
            async for request in requests:
                await asyncio.to_thread(self._take_orders, request)
                more.set()
        finally:
            more.set()

    def _take_orders(self, request: Any) -> None:
        if request.stream_ack_deadline_seconds:
            _check_lease(request.stream_ack_deadline_seconds)
            self._lease = float(request.stream_ack_deadline_seconds)
        spans = request.modify_deadline_seconds
        if len(spans) != len(request.modify_deadline_ack_ids):
            raise invalid(
                "The number of modify_deadline_seconds and of modify_deadline_ack_ids must be equal."
            )
        for span in spans:
            check_span(span)
        if request.ack_ids:
            self._broker.acknowledge(self._name, request.ack_ids)
        orders: dict[int, list[str]] = {}
        for ack_id, span in zip(request.modify_deadline_ack_ids, spans, strict=True):
            orders.setdefault(span, []).append(ack_id)
        for span, ack_ids in orders.items():
            self._broker.extend(self._name, ack_ids, span)

    def _take(self) -> list[Handed]:
        with self._broker.lock:
            subscription = self._broker.subscription(self._name)
            refuse_pull(subscription.resource)
            queue = subscription.queue
            self._out = {a: n for a, n in self._out.items() if queue.lease(a) is not None}
            room, bytes_left = _MOST_AT_ONCE, math.inf
            # As in the document, 0 or less means no limit.
            if self._most > 0:
                room = min(room, self._most - len(self._out))
            if self._most_bytes > 0:
                bytes_left = self._most_bytes - sum(self._out.values())
            # The client may have gone while this waited for its thread.
            if not self._open or room <= 0:
                return []
            handed = subscription.take(room, lease=self._lease, holder=self, most_bytes=bytes_left)
            self._out |= {item.ack_id: len(item.message.data) for item in handed}
            self._unsent |= {item.ack_id for item in handed}
        return handed

    def _close(self) -> None:
        """Give back what was taken and never sent; what was sent keeps its lease."""
        with self._broker.lock:
            self._open = False
            subscription = self._broker.subscriptions.get(self._name)
            if subscription is not None:
                subscription.queue.leave(self)
                subscription.give_back(self._unsent)

    def _responses(self, handed: list[Handed]) -> Iterator[Any]:
        resource = self._broker.subscription(self._name).resource
        response, size = self._empty(resource), 0
        for item in handed:
            if size and size + len(item.message.data) > _MOST_BYTES:
                yield response
                response, size = self._empty(resource), 0
            _fill(response.received_messages.add(), item, resource)
            size += len(item.message.data)
        if size or response.received_messages:
            yield response

    def _empty(self, resource: dict[str, Any]) -> Any:
        properties = {
            "exactly_once_delivery_enabled": bool(resource.get("enableExactlyOnceDelivery")),
            "message_ordering_enabled": bool(resource.get("enableMessageOrdering")),
        }
        return types.StreamingPullResponse.pb()(subscription_properties=properties)


def _fill(received: Any, item: Handed, resource: dict[str, Any]) -> None:
    message = item.message
    received.ack_id = item.ack_id
    received.message.data = message.data
    received.message.message_id = str(message.id)
    received.message.ordering_key = message.key
    received.message.attributes.update(message.attributes)
    received.message.publish_time.FromMicroseconds(int(message.published * 1e6))
    if resource.get("deadLetterPolicy"):
        received.delivery_attempt = item.attempt


METHODS = {METHOD: StreamMethod("/google.pubsub.v1.Subscriber/StreamingPull", pull)}
