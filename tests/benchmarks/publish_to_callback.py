"""How long a message takes from publish to callback, through Google's clients and all doors.

`python -m tests.benchmarks.publish_to_callback` starts a cloud in a process of its own and prints
the median and the 95th of a hundred, for a plain subscription and for an ordered one.
"""

import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time

from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import PublisherOptions

from localcloud.cloud import OWNER

ROUNDS = 100
PATIENCE_SECONDS = 30


def local(state: str, *words: str) -> str:
    """Run a command of the local cloud and return what it prints."""
    command = [sys.executable, "-m", "localcloud", *words, "--state", state]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def environment(state: str) -> dict[str, str]:
    """Return the environment that points Google's clients at the cloud."""
    script = (
        f'eval "$({sys.executable} -m localcloud env --state {state} --account {OWNER})"; env -0'
    )
    printed = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    pairs = (line.partition("=") for line in printed.stdout.split("\0") if line)
    return {name: value for name, _, value in pairs}


def measure(project: str, *, ordered: bool) -> list[float]:
    """Publish one message after another and return how long each took, in milliseconds."""
    options = PublisherOptions(enable_message_ordering=True)
    publisher, subscriber = PublisherClient(publisher_options=options), SubscriberClient()
    kind = "ordered" if ordered else "plain"
    topic = publisher.create_topic(name=f"projects/{project}/topics/{kind}").name
    request = {
        "name": f"projects/{project}/subscriptions/{kind}",
        "topic": topic,
        "enable_message_ordering": ordered,
    }
    subscription = subscriber.create_subscription(request=request).name
    arrived: queue.Queue[float] = queue.Queue()

    def note(message: object) -> None:
        arrived.put(time.perf_counter())
        message.ack()  # type: ignore[attr-defined]  # a message of Google's client

    future = subscriber.subscribe(subscription, callback=note)
    spans = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        publisher.publish(topic, b"x", ordering_key="k" if ordered else "")
        spans.append(1000 * (arrived.get(timeout=PATIENCE_SECONDS) - began))
    future.cancel()
    future.result(PATIENCE_SECONDS)
    return spans[1:]


def main() -> None:
    """Measure both and print a line for each."""
    with tempfile.TemporaryDirectory() as state:
        local(state, "up")
        try:
            os.environ |= environment(state)
            project = local(state, "status", "--format", "project-id").strip()
            for ordered in (False, True):
                spans = sorted(measure(project, ordered=ordered))
                print(
                    f"{'ordered' if ordered else 'plain'}: p50 {statistics.median(spans):.1f} ms, "
                    f"p95 {spans[int(len(spans) * 0.95)]:.1f} ms"
                )
        finally:
            local(state, "down")


if __name__ == "__main__":
    main()
