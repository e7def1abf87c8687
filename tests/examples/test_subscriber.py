"""The example subscriber hears its own team's news, once each, and says why things failed."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FILE = Path(__file__).parents[2] / "examples" / "subscriber.py"
TOPIC = "projects/berth-local/topics/berth-events"


@pytest.fixture(scope="module")
def subscriber() -> ModuleType:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("subscriber", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud with Pub/Sub and the topic."""
    cloud = Cloud(tmp_path / "state", only=[SERVICE])
    with cloud.serve():
        assert _ask(cloud, "PUT", TOPIC, {}) == 200
        yield cloud
    cloud.close()


def _ask(cloud: Cloud, verb: str, path: str, body: dict[str, Any]) -> int:
    headers = {
        "authorization": f"Bearer {cloud.tokens.access_token(OWNER)}",
        "content-type": "application/json",
    }
    url = f"https://pubsub.googleapis.com/v1/{path}"
    return cloud.request(verb, url, headers=headers, body=json.dumps(body).encode()).status


def event(state: str, **more: Any) -> dict[str, Any]:
    """Give an event as Berth publishes it."""
    return {
        "id": f"fraud/1/{state}",
        "deployment": "fraud",
        "team": "risk",
        "generation": 1,
        "state": state,
        "message": f"{state}: so it is",
        "url": None,
        "problem": None,
        **more,
    }


PROBLEM = {
    "title": "A permission is missing",
    "detail": "The database could not be made.",
    "step": "backend_store",
    "cause": "Permission 'cloudsql.databases.create' denied",
    "remedy": "Run install again.",
}


class Letter:
    """A message as the client hands it over, noting whether it was acknowledged."""

    def __init__(self, data: bytes, event_id: str) -> None:
        """Carry ``data`` under an id."""
        self.data = data
        self.attributes = {"ce-id": event_id}
        self.acked = False

    def ack(self) -> None:
        """Note it."""
        self.acked = True


def test_what_is_ready_says_where(subscriber: ModuleType) -> None:
    """READY comes with the address."""
    text = subscriber.line(event("READY", url="https://mlflow.example"))

    assert text.split() == [
        *("READY", "fraud", "(team", "risk,", "generation", "1)"),
        "https://mlflow.example",
    ]


def test_what_failed_says_why(subscriber: ModuleType) -> None:
    """FAILED comes with step, reason, cause and remedy; without a problem, with its message."""
    text = subscriber.line(event("FAILED", problem=PROBLEM))

    for key in ("step", "detail", "cause", "remedy"):
        assert PROBLEM[key] in text
    assert "FAILED: so it is" in subscriber.line(event("FAILED"))


def test_an_event_is_told_once(subscriber: ModuleType) -> None:
    """A repeat is acknowledged and passed over."""
    told: list[str] = []
    reporter = subscriber.Reporter(told.append)
    letters = [Letter(json.dumps(event("READY")).encode(), "fraud/1/READY") for _ in range(2)]

    for letter in letters:
        reporter(letter)

    assert len(told) == 1
    assert all(letter.acked for letter in letters)
    assert reporter.told.is_set()


@pytest.mark.parametrize("data", [b"not json", b"[]", b"{}", b"null"])
def test_what_cannot_be_read_does_not_come_for_ever(
    subscriber: ModuleType, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is complained about and acknowledged."""
    told: list[str] = []
    letter = Letter(data, "odd")

    subscriber.Reporter(told.append)(letter)

    assert told == []
    assert letter.acked
    assert "'odd' cannot be read" in capsys.readouterr().err


def test_only_so_many_ids_are_remembered(subscriber: ModuleType) -> None:
    """The oldest is forgotten first."""
    seen = subscriber.Seen(2)

    assert [seen.add(name) for name in ("a", "b", "a", "c", "a")] == [True, True, False, True, True]


def _run(cloud: Cloud, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FILE), "--project", "berth-local", "--subscription", "news"]
    return subprocess.run(
        [*command, *more],
        env={**os.environ, **cloud.environment(OWNER)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_hears_its_own_team(served: Cloud) -> None:
    """It makes the filtered subscription, hears its team only, and stops when told to."""
    first = served.environment(OWNER)
    command = [sys.executable, str(FILE), "--project", "berth-local", "--subscription", "news"]
    process = subprocess.Popen(
        [*command, "--team", "risk", "--once"],
        env={**os.environ, **first},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not served.calls.count("pubsub.projects.subscriptions.streamingPull"):
        assert process.poll() is None
        time.sleep(0.05)
    for sent in (
        event("READY", team="other", deployment="theirs"),
        event("PROVISIONING"),
        event("PROVISIONING"),
        event("FAILED", problem=PROBLEM),
    ):
        data = json.dumps(sent).encode()
        attributes = {"team": sent["team"], "ce-id": f"{sent['deployment']}/{sent['state']}"}
        message = {
            "data": base64.b64encode(data).decode(),
            "attributes": attributes,
            "orderingKey": sent["deployment"],
        }
        assert _ask(served, "POST", f"{TOPIC}:publish", {"messages": [message]}) == 200
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert [text.split()[0] for text in said.splitlines()] == [
        *("PROVISIONING", "FAILED", "step:", "why:", "cause:", "remedy:")
    ]
    assert "theirs" not in said


def test_another_filter_is_refused(served: Cloud) -> None:
    """A subscription that hears something else is not used in silence."""
    body = {"topic": TOPIC, "filter": 'attributes.team = "other"'}
    assert _ask(served, "PUT", "projects/berth-local/subscriptions/news", body) == 200

    outcome = _run(served, "--team", "risk", "--once")

    assert outcome.returncode == 1
    assert 'attributes.team = "other"' in outcome.stderr


def test_an_absent_topic_is_named(served: Cloud) -> None:
    """Where Berth is not installed there is nothing to hear."""
    outcome = _run(served, "--topic", "absent-topic", "--once")

    assert outcome.returncode == 1
    assert "absent-topic" in outcome.stderr
