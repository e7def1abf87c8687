"""``kill -9`` in the middle of it: what was promised holds in the next process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.clock import VirtualClock
from localcloud.services.pubsub.broker import Broker
from tests.localcloud.services.pubsub.paper_broker import SUB, TOPIC, publish, subscribe, texts

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[4]

_BEGIN = """
import itertools, pathlib, sys
from localcloud.clock import VirtualClock
from localcloud.services.pubsub.broker import Broker
from tests.localcloud.services.pubsub.paper_broker import SUB, TOPIC, publish, subscribe

broker = Broker(pathlib.Path(sys.argv[1]), VirtualClock())
broker.add_topic({"name": TOPIC})

def say(*words):
    print(*words, flush=True)
"""

_PUBLISHES = """
subscribe(broker)
for n in itertools.count():
    publish(broker, str(n))
    say(n)
"""

_CONSUMES = """
subscribe(broker, enableMessageOrdering=True)
for n in itertools.count():
    publish(broker, f"{n} a", f"{n} b", key=f"k{n % 3}")
    first, second = broker.take(SUB, 2)
    broker.acknowledge(SUB, [first.ack_id])
    say(n)
    broker.acknowledge(SUB, [second.ack_id])
"""

_SEEKS = """
subscribe(broker, retainAckedMessages=True)
publish(broker, "kept")
broker.add_snapshot({"name": "snap", "topic": TOPIC}, SUB)
for n in itertools.count():
    broker.acknowledge(SUB, [item.ack_id for item in broker.take(SUB, 10)])
    broker.seek_snapshot(SUB, "snap")
    say(n)
    broker.seek_time(SUB, broker.clock.now() + 1)
    broker.seek_snapshot(SUB, "snap")
"""


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[str], tuple[list[str], Broker]]:
    """Runs a script, kills it after a hundred lines, and opens what it left."""

    def run(script: str) -> tuple[list[str], Broker]:
        path = tmp_path / "pubsub.db"
        command = [sys.executable, "-c", _BEGIN + script, str(path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(100)]
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        return [line.strip() for line in told if line.endswith("\n")], Broker(path, VirtualClock())

    return run


def test_nothing_published_is_lost(killed: Callable[[str], tuple[list[str], Broker]]) -> None:
    """Every message a publisher was told of is delivered by the next process, in order."""
    told, broker = killed(_PUBLISHES)
    found = texts(broker.take(SUB, 1_000_000))
    broker.close()

    assert found[: len(told)] == told
    # at most one more was written and not yet told
    assert len(found) - len(told) in {0, 1}


def test_nothing_acknowledged_comes_back(
    killed: Callable[[str], tuple[list[str], Broker]],
) -> None:
    """Only what was out or not yet acknowledged when the process died is there, in its order."""
    told, broker = killed(_CONSUMES)
    found = texts(broker.take(SUB, 1_000_000))
    broker.close()

    last = int(told[-1])
    allowed = [f"{last} b", f"{last + 1} a", f"{last + 1} b"]
    assert [text for text in allowed if text in found] == found


def test_a_seek_is_done_or_not_done(killed: Callable[[str], tuple[list[str], Broker]]) -> None:
    """A process that dies between seeks leaves the message open or acknowledged, never lost."""
    _, broker = killed(_SEEKS)
    broker.seek_snapshot(SUB, "snap")
    found = texts(broker.take(SUB, 10))
    publish(broker, "after")
    after = texts(broker.take(SUB, 10))
    broker.close()

    assert (found, after) == (["kept"], ["after"])


def test_leases_end_with_their_process(tmp_path: Path) -> None:
    """What was out is there again at once, its acknowledgement means nothing any more."""
    path = tmp_path / "pubsub.db"
    first = Broker(path, VirtualClock())
    first.add_topic({"name": TOPIC})
    subscribe(first, enableMessageOrdering=True)
    publish(first, "0", "1", "2", key="k")
    out = first.take(SUB, 10)
    first.acknowledge(SUB, [out[0].ack_id])
    first.extend(SUB, [out[1].ack_id], 0)
    first.close()

    second = Broker(path, VirtualClock())
    assert second.acknowledge(SUB, [out[2].ack_id]) == [out[2].ack_id]
    again = second.take(SUB, 10)
    second.close()

    assert [(item.message.data, item.attempt) for item in again] == [(b"1", 2), (b"2", 1)]
