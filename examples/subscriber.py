"""Hear what becomes of your team's deployments: what is READY, what FAILED, and why.

    python examples/subscriber.py --project my-project --subscription risk-news --team risk

The subscription is made if it is not there yet, filtered on the server, so that only the team's
own events come. Pub/Sub delivers at least once; an event that comes again is told by its ``ce-id``
and passed over. Who runs this needs roles/pubsub.subscriber on the subscription, and to make it
roles/pubsub.editor on the project. Stop it with Ctrl-C.
"""

import argparse
import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from typing import Any

from google.api_core.exceptions import AlreadyExists, GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message

TELLING = ("READY", "FAILED")
"""The states at which a deployment comes to rest, and somebody wants to know."""

_REMEMBERED = 10_000


class Seen:
    """The ids of the latest events, so that a repeat can be told; safe for many threads."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        """Remember so many ids, the latest ones."""
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def add(self, event_id: str) -> bool:
        """Say whether an event is new, and remember it."""
        with self._lock:
            if event_id in self._ids:
                return False
            self._ids[event_id] = None
            if len(self._ids) > self._most:
                self._ids.popitem(last=False)
            return True


class Reporter:
    """Takes messages and says in a line or two what each event means."""

    def __init__(self, say: Callable[[str], None] = print) -> None:
        """Say it with ``say``."""
        self.told = threading.Event()
        self._say = say
        self._seen = Seen()

    def __call__(self, message: Message) -> None:
        """Report an event once; then it is done with, whatever was in it."""
        event_id = message.attributes.get("ce-id", "")
        try:
            event = json.loads(message.data)
            text = line(event)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Given back it would come again for ever, and be no easier to read.
            print(f"event {event_id!r} cannot be read: {error!r}", file=sys.stderr)
            message.ack()
            return
        if self._seen.add(event_id):
            self._say(text)
            if event["state"] in TELLING:
                self.told.set()
        message.ack()


def line(event: dict[str, Any]) -> str:
    """Write an event for people: what came to rest, where it answers, or why it failed."""
    who = f"{event['deployment']} (team {event['team']}, generation {event['generation']})"
    said = f"{event['state']:<12} {who}"
    if event["state"] == "READY":
        return f"{said}  {event['url']}"
    problem = event.get("problem")
    if event["state"] != "FAILED" or problem is None:
        return f"{said}  {event['message']}"
    reasons = [
        ("step", problem.get("step")),
        ("why", problem.get("detail") or problem["title"]),
        ("cause", problem.get("cause")),
        ("remedy", problem.get("remedy")),
    ]
    return "\n".join([said, *(f"  {name + ':':<8}{text}" for name, text in reasons if text)])


def ensure_subscription(
    client: SubscriberClient, name: str, topic: str, *, team: str | None
) -> None:
    """Make the subscription unless it is there; one that filters otherwise is refused."""
    wanted = f'attributes.team = "{team}"' if team else ""
    request = {
        "name": name,
        "topic": topic,
        "filter": wanted,
        # A deployment's own events come in the order in which they happened.
        "enable_message_ordering": True,
    }
    try:
        client.create_subscription(request=request)
    except AlreadyExists:
        found = client.get_subscription(subscription=name)
        if found.filter != wanted or found.topic != topic:
            raise SystemExit(
                f"{name} exists, with topic {found.topic} and filter {found.filter!r}; wanted "
                f"topic {topic} and filter {wanted!r}. A filter cannot be changed: choose another "
                "name, or delete the subscription."
            ) from None


def listen(client: SubscriberClient, name: str, *, once: bool) -> None:
    """Report events until Ctrl-C, or with ``once`` until a deployment has come to rest."""
    reporter = Reporter()
    stream = client.subscribe(name, callback=reporter)
    try:
        while not (once and reporter.told.is_set()):
            try:
                # The wait is short, so that Ctrl-C and --once are heard.
                stream.result(timeout=0.2)
            except NotYetError:
                continue
            break
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
    finally:
        stream.cancel()
        # What was acknowledged just now is still on its way out.
        stream.result(timeout=30)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, make the subscription, listen."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--project", required=True, help="the project Berth is installed in")
    parser.add_argument("--subscription", required=True, help="its name; made if it is not there")
    parser.add_argument("--team", help="whose events to hear; everybody's if left out")
    parser.add_argument("--topic", default="berth-events", help="where Berth publishes")
    parser.add_argument(
        "--once", action="store_true", help="stop once a deployment is READY or FAILED"
    )
    given = parser.parse_args(arguments)
    with SubscriberClient() as client:
        name = client.subscription_path(given.project, given.subscription)
        topic = f"projects/{given.project}/topics/{given.topic}"
        try:
            ensure_subscription(client, name, topic, team=given.team)
            listen(client, name, once=given.once)
        except GoogleAPICallError as error:
            raise SystemExit(f"{name}: {error.message}") from None


if __name__ == "__main__":
    main()
