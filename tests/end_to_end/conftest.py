"""One local cloud with Berth installed into it by its own command, shared by these tests.

MLflow takes ten seconds to start, so there are few deployments, and each goes through its whole
life here: `door` (by password) stays; `members` (by IAM) is refused, made, used and removed.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.end_to_end.holdings import Holdings, holdings
from tests.end_to_end.installation import ANA, PROJECT, REGION, ROOT, Installation

PUBSUB = f"https://pubsub.googleapis.com/v1/projects/{PROJECT}"
EVERYTHING = f"{PUBSUB}/subscriptions/everything"
DOOR = {"name": "door", "team": "risk", "access": {"mode": "basic_auth"}}
AT_ONCE = 20


@pytest.fixture(scope="session")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A local cloud, up, with Berth installed; stopped at the end."""
    installation = Installation(tmp_path_factory.mktemp("cloud") / "state")
    installation.start()
    try:
        installation.install()
        yield installation
    finally:
        installation.stop()


@dataclass(frozen=True)
class News:
    """Who listens from the beginning."""

    example: Path
    """What examples/subscriber.py prints."""
    filtered: str
    """A subscription that lets pass what concerns the team risk."""


@pytest.fixture(scope="session")
def news(berth: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[News]:
    """Subscriptions that are there before anything happens."""
    printed = tmp_path_factory.mktemp("news") / "printed.txt"
    topic = f"projects/{PROJECT}/topics/berth-events"
    berth.google(EVERYTHING, "PUT", json={"topic": topic, "enableMessageOrdering": True})
    filtered = berth.program("subscribe", PROJECT, "of-risk", "risk")["name"]
    example = str(ROOT / "examples" / "subscriber.py")
    options = ("--project", PROJECT, "--subscription", "example", "--team", "risk", "--once")
    with printed.open("w") as output:
        listening = berth.begin(output, example, *options)
    deadline = time.monotonic() + 240
    while "example" not in str(berth.google(f"{PUBSUB}/subscriptions")):
        assert time.monotonic() < deadline, printed.read_text()
        time.sleep(0.1)
    yield News(printed, filtered)
    listening.terminate()
    listening.wait(timeout=20)


@pytest.fixture(scope="session")
def asked(berth: Installation, news: News) -> list[requests.Response]:  # noqa: ARG001 - first
    """The answers to the same request, sent twenty times at once."""
    token = berth.token(ANA)

    def post(_: int) -> requests.Response:
        session = berth.session(token)
        return session.post(f"{berth.api_url}/v1/deployments", json=DOOR, timeout=60)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(post, range(AT_ONCE)))


@pytest.fixture(scope="session")
def door(berth: Installation, asked: list[requests.Response]) -> dict[str, Any]:  # noqa: ARG001
    """The deployment that was asked for twenty times: READY, with a login."""
    deployment = berth.wait("door", "READY", "FAILED")
    assert deployment["state"] == "READY", deployment
    return deployment


@dataclass(frozen=True)
class Obstructed:
    """A deployment that failed because something was in its way."""

    before: Holdings
    obstacle: dict[str, Any]
    deployment: dict[str, Any]
    after: Holdings


@pytest.fixture(scope="session")
def obstructed(berth: Installation, door: dict[str, Any]) -> Obstructed:  # noqa: ARG001 - quiet
    """A request whose bucket's name is taken by a bucket of somebody else's."""
    before = holdings(berth)
    obstacle = berth.google(
        f"https://storage.googleapis.com/storage/v1/b?project={PROJECT}",
        "POST",
        json={"name": f"{PROJECT}-mlflow-members", "location": REGION},
    )
    berth.post("members")
    deployment = berth.wait("members", "READY", "FAILED")
    return Obstructed(before, obstacle, deployment, holdings(berth))


@pytest.fixture(scope="session")
def members(berth: Installation, obstructed: Obstructed) -> dict[str, Any]:
    """The same request again, after the obstacle has been removed: READY."""
    berth.google(obstructed.obstacle["selfLink"], "DELETE")
    berth.post("members")
    deployment = berth.wait("members", "READY", "FAILED")
    assert deployment["state"] == "READY", deployment
    return deployment


@dataclass(frozen=True)
class Removed:
    """A deployment that is gone."""

    deployment: dict[str, Any]
    passwords: list[str]
    """What it kept secret while it lived."""
    after: Holdings


@pytest.fixture(scope="session")
def removed(berth: Installation, members: dict[str, Any]) -> Removed:  # noqa: ARG001 - READY before
    """The deployment `members`, removed; what the cloud holds then."""
    passwords = [berth.password("members", "db-password")]
    deployment = berth.delete("members")
    return Removed(deployment, passwords, holdings(berth))
