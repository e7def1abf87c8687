"""Make an ordered subscription that lets only one team's events pass: PROJECT NAME TEAM."""

import json
import sys

from google.cloud.pubsub_v1 import SubscriberClient

project, name, team = sys.argv[1:]
with SubscriberClient() as client:
    made = client.create_subscription(
        request={
            "name": client.subscription_path(project, name),
            "topic": client.topic_path(project, "berth-events"),
            "filter": f'attributes.team = "{team}"',
            "enable_message_ordering": True,
        }
    )
print(json.dumps({"name": made.name}))
