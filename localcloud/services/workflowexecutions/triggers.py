"""Executions started by Pub/Sub: a push of an Eventarc trigger becomes a CloudEvent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import invalid
from localcloud.services.workflowexecutions.executions import begin
from localcloud.workflows.values import to_json

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_SUBSCRIPTION = re.compile(r"projects/[^/]+/subscriptions/[^/]+")
_MODE = "CUSTOM_PUBSUB_"


def trigger(call: Call) -> Resource:
    """Start an execution whose argument is the CloudEvent of a Pub/Sub message; it never queues."""
    body = call.body
    for field in ("message", "subscription", "GCPCloudEventsMode"):
        if not body.get(field):
            raise invalid(f"{field} is required")
    message = body["message"]
    if not message.get("data") and not message.get("attributes"):
        raise invalid("message must have data or at least one attribute")
    if not _SUBSCRIPTION.fullmatch(body["subscription"]):
        raise invalid("subscription must be projects/{project}/subscriptions/{sub}")
    topic = body["GCPCloudEventsMode"].removeprefix(_MODE)
    event = {
        "specversion": "1.0",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "source": f"//pubsub.googleapis.com/{topic}",
        "id": message.get("messageId", ""),
        "time": message.get("publishTime", call.now),
        "datacontenttype": "application/json",
        "data": {"message": message, "subscription": body["subscription"]},
    }
    return begin(call, {"argument": to_json(event)}, may_queue=False)
