"""The gRPC methods of Pub/Sub, as the client library itself calls them.

Paths and message types are read out of the client's own transports, so they cannot drift; only
which REST method means the same is said here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport


class Stub(NamedTuple):
    """One method of a transport."""

    path: str
    request: Any
    response: Any


class _Recorder:
    """Stands where a transport has its channel, and notes what is asked of it."""

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Stub:
        # Both are methods of the message class, which is what is wanted.
        return Stub(path, _owner(request_serializer), _owner(response_deserializer))

    stream_stream = unary_unary


def _owner(method: Any) -> Any:
    # Protobuf's own classes come without proto-plus: there the serializer is a plain function.
    return getattr(method, "__self__", None) or getattr(method, "__objclass__", None)


def _stubs(transport: Any) -> Any:
    bare = object.__new__(transport)
    bare._stubs = {}
    bare._logged_channel = _Recorder()
    return bare


PUBLISHER = _stubs(PublisherGrpcTransport)
SUBSCRIBER = _stubs(SubscriberGrpcTransport)

_MEANS: dict[str, Stub] = {
    "pubsub.projects.topics.create": PUBLISHER.create_topic,
    "pubsub.projects.topics.get": PUBLISHER.get_topic,
    "pubsub.projects.topics.list": PUBLISHER.list_topics,
    "pubsub.projects.topics.patch": PUBLISHER.update_topic,
    "pubsub.projects.topics.delete": PUBLISHER.delete_topic,
    "pubsub.projects.topics.publish": PUBLISHER.publish,
    "pubsub.projects.topics.subscriptions.list": PUBLISHER.list_topic_subscriptions,
    "pubsub.projects.topics.snapshots.list": PUBLISHER.list_topic_snapshots,
    "pubsub.projects.subscriptions.detach": PUBLISHER.detach_subscription,
    "pubsub.projects.subscriptions.create": SUBSCRIBER.create_subscription,
    "pubsub.projects.subscriptions.get": SUBSCRIBER.get_subscription,
    "pubsub.projects.subscriptions.list": SUBSCRIBER.list_subscriptions,
    "pubsub.projects.subscriptions.patch": SUBSCRIBER.update_subscription,
    "pubsub.projects.subscriptions.modifyPushConfig": SUBSCRIBER.modify_push_config,
    "pubsub.projects.subscriptions.delete": SUBSCRIBER.delete_subscription,
    "pubsub.projects.subscriptions.pull": SUBSCRIBER.pull,
    "pubsub.projects.subscriptions.acknowledge": SUBSCRIBER.acknowledge,
    "pubsub.projects.subscriptions.modifyAckDeadline": SUBSCRIBER.modify_ack_deadline,
    "pubsub.projects.subscriptions.seek": SUBSCRIBER.seek,
    "pubsub.projects.snapshots.create": SUBSCRIBER.create_snapshot,
    "pubsub.projects.snapshots.get": SUBSCRIBER.get_snapshot,
    "pubsub.projects.snapshots.list": SUBSCRIBER.list_snapshots,
    "pubsub.projects.snapshots.patch": SUBSCRIBER.update_snapshot,
    "pubsub.projects.snapshots.delete": SUBSCRIBER.delete_snapshot,
}

METHODS: dict[str, tuple[Any, Any, str]] = {
    stub.path: (stub.request, stub.response, method_id) for method_id, stub in _MEANS.items()
}
"""gRPC path to (request class, response class, method id), as the gRPC door wants it."""
