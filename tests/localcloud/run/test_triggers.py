"""A function that a topic triggers gets CloudEvents by push, with the rights of its trigger."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import add_account
from tests.localcloud.run.sources import (
    FUNCTIONS,
    REQUIREMENTS,
    deployed,
    function,
    uploaded,
    waited,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from tests.localcloud.run.echo import Caller

TOPIC = "projects/berth-local/topics/news"
TRIGGER = "trigger@berth-local.iam.gserviceaccount.com"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
PUBSUB = "https://pubsub.googleapis.com/v1"
MAIN = """
import base64, functions_framework

@functions_framework.cloud_event
def heard(event):
    text = base64.b64decode(event.data["message"]["data"]).decode()
    print(f"heard {text} {event['type']} {event['source']}", flush=True)
    if text == "bad":
        raise ValueError("cannot bear it")
"""
GOOD = {"main.py": MAIN, "requirements.txt": REQUIREMENTS}

pytestmark = pytest.mark.usefixtures("builder", "topic")


@pytest.fixture
def topic(cloud: Cloud, owner: Caller) -> None:
    """Make the topic and the trigger's account."""
    add_account(cloud, TRIGGER)
    assert owner("PUT", f"{PUBSUB}/{TOPIC}", {}).status == 200


def triggered(source: dict[str, Any], **trigger: str) -> dict[str, Any]:
    """Return the body of a function with a trigger."""
    wanted = {"eventType": PUBLISHED, "pubsubTopic": TOPIC, "serviceAccountEmail": TRIGGER}
    return {**function(source, entry="heard"), "eventTrigger": {**wanted, **trigger}}


def publish(owner: Caller, text: str) -> None:
    """Publish one message."""
    data = base64.b64encode(text.encode()).decode()
    answer = owner("POST", f"{PUBSUB}/{TOPIC}:publish", {"messages": [{"data": data}]})
    assert answer.status == 200, answer.text


def logged(owner: Caller, words: str, enough: Callable[[int], bool]) -> list[str]:
    """Wait until the function's log has enough lines with these words; returns them."""
    query = f'resource.type="cloud_run_revision" AND jsonPayload.message:"{words}"'
    body = {"resourceNames": ["projects/berth-local"], "filter": query}
    found: list[str] = []

    def are_enough() -> bool:
        answer = owner("POST", "https://logging.googleapis.com/v2/entries:list", body)
        found[:] = [one["jsonPayload"]["message"] for one in answer.json().get("entries", [])]
        return enough(len(found))

    eventually(are_enough)
    return found


def subscriptions(owner: Caller) -> list[dict[str, Any]]:
    """Return the project's subscriptions."""
    found = owner("GET", f"{PUBSUB}/projects/berth-local/subscriptions").json()
    return list(found.get("subscriptions", []))


@pytest.mark.slow
def test_message_becomes_an_event_and_a_failure_is_not_repeated(owner: Caller) -> None:
    """What is published arrives as a CloudEvent; without retries what failed comes once only."""
    made = deployed(owner, "heard", triggered(uploaded(owner, GOOD)))["response"]
    service = f"https://run.googleapis.com/v2/{made['serviceConfig']['service']}"
    policy = {"bindings": [{"role": "roles/run.invoker", "members": [f"serviceAccount:{TRIGGER}"]}]}
    assert owner("POST", f"{service}:setIamPolicy", {"policy": policy}).status == 200

    publish(owner, "bad")
    publish(owner, "good")

    lines = logged(owner, "heard good", lambda count: count >= 1)
    assert f"//pubsub.googleapis.com/{TOPIC}" in lines[0]
    assert PUBLISHED in lines[0]
    assert len(logged(owner, "heard bad", lambda count: count >= 1)) == 1
    (one,) = subscriptions(owner)
    assert one["pushConfig"]["oidcToken"]["serviceAccountEmail"] == TRIGGER
    waited(owner, owner("DELETE", f"{FUNCTIONS}/heard").json())
    assert subscriptions(owner) == []
    assert owner("GET", f"{PUBSUB}/{TOPIC}").status == 200


@pytest.mark.slow
def test_trigger_without_rights_never_reaches_the_function(owner: Caller) -> None:
    """The trigger's account needs run.invoker, and the request log says that it has not."""
    deployed(owner, "heard", triggered(uploaded(owner, GOOD)))

    publish(owner, "good")

    query = "httpRequest.status=403"
    body = {"resourceNames": ["projects/berth-local"], "filter": query}
    url = "https://logging.googleapis.com/v2/entries:list"
    eventually(lambda: owner("POST", url, body).json().get("entries"))
    assert logged(owner, "heard good", lambda _: True) == []


@pytest.mark.parametrize(
    ("trigger", "status", "said"),
    [
        ({"eventType": ""}, 400, "event_type"),
        ({"eventType": "google.cloud.storage.object.v1.finalized"}, 501, "storage.object"),
        ({"pubsubTopic": ""}, 400, "pubsub_topic"),
        ({"pubsubTopic": "projects/berth-local/topics/nope"}, 400, "topics/nope"),
        ({"channel": "projects/p/locations/l/channels/c"}, 400, "channel"),
        ({"serviceAccountEmail": "nobody@berth-local.iam.gserviceaccount.com"}, 403, "nobody@"),
    ],
)
def test_bad_trigger_is_refused(
    owner: Caller, trigger: dict[str, str], status: int, said: str
) -> None:
    """What cannot trigger anything is refused before anything is built."""
    source = {"bucket": "b", "object": "o"}

    answer = owner("POST", f"{FUNCTIONS}?functionId=heard", triggered(source, **trigger))

    assert (answer.status, said in answer.text) == (status, True), answer.text
    assert owner("GET", f"{FUNCTIONS}/heard").status == 404
