"""Notifications: a bucket's configurations, and the messages they send through Pub/Sub.

Attributes and payload: cloud.google.com/storage/docs/pubsub-notifications.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.pubsub.brokers import broker_of
from localcloud.services.pubsub.messages import Draft
from localcloud.services.storage import names, shelf, views
from localcloud.services.storage.depots import depot_of

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource
    from localcloud.services.storage.events import Event
    from localcloud.store import Collection

log = logging.getLogger(__name__)

_TYPES = {"OBJECT_FINALIZE", "OBJECT_METADATA_UPDATE", "OBJECT_DELETE", "OBJECT_ARCHIVE"}
_FORMATS = {"JSON_API_V1", "NONE"}
_TOPIC = re.compile(r"(?:(?://pubsub\.googleapis\.com/)?)(projects/([^/]+)/topics/[^/]+)")
_MOST = 100


def insert(call: Call) -> Resource:
    """Have a bucket tell a topic what happens to its objects."""
    found = _TOPIC.fullmatch(call.body.get("topic") or "")
    if found is None:
        message = f"Invalid Google Cloud Pub/Sub topic: '{call.body.get('topic', '')}'"
        raise ApiError(400, message, reason="invalid")
    if call.body.get("payload_format") not in _FORMATS:
        message = "Invalid value for payload_format: it must be JSON_API_V1 or NONE."
        raise ApiError(400, message, reason="invalid")
    unknown = set(call.body.get("event_types", [])) - _TYPES
    if unknown:
        raise ApiError(400, f"Invalid event type: {min(unknown)}", reason="invalid")
    topic = call.cloud.by_id(found[1])
    bucket = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    _check_topic(call.cloud, topic)
    configs = _configs(call.cloud)
    with configs.lock():
        if configs.count(_folder(bucket.key)) >= _MOST:
            message = "A bucket can have at most 100 notification configurations."
            raise ApiError(400, message, reason="invalid")
        number = str(configs.next_number(f"{bucket.key}"))
        resource: Resource = {
            "kind": "storage#notification",
            "id": number,
            "etag": number,
            "selfLink": f"{names.bucket_link(bucket.name)}/notificationConfigs/{number}",
            **call.body,
            "topic": f"//pubsub.googleapis.com/{topic}",
        }
        return configs.put(_folder(bucket.key) + number, resource)


def list_all(call: Call) -> Resource:
    """Show a bucket's configurations."""
    bucket = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    found = _configs(call.cloud).children(_folder(bucket.key))
    return {"kind": "storage#notifications", **({"items": found} if found else {})}


def get(call: Call) -> Resource:
    """Show one configuration."""
    return _fetch(call)[1]


def delete(call: Call) -> None:
    """Stop telling."""
    name, _ = _fetch(call)
    _configs(call.cloud).delete(name)


def account(cloud: Cloud) -> str:
    """Return the account with which Cloud Storage itself acts for the project."""
    return f"service-{cloud.number}@gs-project-accounts.iam.gserviceaccount.com"


def publish(cloud: Cloud, events: list[Event]) -> None:
    """Send what happened to whoever wants to be told; the objects are committed by now."""
    configs = _configs(cloud)
    for event in events:
        for config in configs.children(_folder(event.bucket.key)):
            if _wanted(config, event):
                _send(cloud, config, event)


def _wanted(config: Resource, event: Event) -> bool:
    types = config.get("event_types") or _TYPES
    prefix = config.get("object_name_prefix", "")
    return event.type in types and event.entry.name.startswith(prefix)


def _send(cloud: Cloud, config: Resource, event: Event) -> None:
    bucket, entry = event.bucket, event.entry
    attributes = {
        **config.get("custom_attributes", {}),
        "notificationConfig": f"{names.resource_name(bucket.name)}/notificationConfigs/{config['id']}",
        "eventType": event.type,
        "payloadFormat": config["payload_format"],
        "bucketId": bucket.name,
        "objectId": entry.name,
        "objectGeneration": str(entry.generation),
        "eventTime": cloud.clock.rfc3339(),
        **event.more,
    }
    data = b""
    if config["payload_format"] == "JSON_API_V1":
        data = json.dumps(views.entry(bucket, entry), indent=2, ensure_ascii=False).encode()
    topic = config["topic"].removeprefix("//pubsub.googleapis.com/")
    try:
        _check_topic(cloud, topic)
        broker_of(cloud).publish(topic, [Draft(data, attributes)])
    except ApiError as error:
        # As with Google: the object is written, and nobody hears of it.
        log.warning("no notification of %s to %s: %s", event.type, topic, error.message)


def _check_topic(cloud: Cloud, topic: str) -> None:
    member = f"serviceAccount:{account(cloud)}"
    broker_of(cloud).topic(topic)
    if not cloud.iam.allowed(member, "pubsub.topics.publish", "pubsub", topic):
        message = f"The service account '{account(cloud)}' does not have permission to publish messages to to the Cloud Pub/Sub topic '//pubsub.googleapis.com/{topic}', or that topic does not exist."
        raise ApiError(403, message, reason="forbidden")


def _fetch(call: Call) -> tuple[str, Resource]:
    bucket = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    name = _folder(bucket.key) + call["notification"]
    found = _configs(call.cloud).find(name)
    if found is None:
        message = f"Notification {call['notification']} not found."
        raise ApiError(404, message, reason="notFound")
    return name, found


def _folder(key: int) -> str:
    return f"{key}/"


def _configs(cloud: Cloud) -> Collection:
    return cloud.store.of("storage.notifications")
