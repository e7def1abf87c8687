"""A local cloud in the test's own process, on a clock that stands still until told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.transport import Response


class Ask(Protocol):
    """Makes one JSON request as somebody."""

    def __call__(
        self, method: str, url: str, body: object = None, *, who: str | None = OWNER
    ) -> Response:
        """Give the response."""


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A new project; a planned fault that never happened fails the test."""
    made = Cloud(tmp_path / "state", clock=clock)
    yield made
    unused = made.unused_faults()
    made.close()
    assert unused == {}


@pytest.fixture
def ask(cloud: Cloud) -> Ask:
    """Calls an API of the cloud, as the project's owner unless told otherwise."""

    def make(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Response:
        headers = {"content-type": "application/json"}
        if who is not None:
            headers["authorization"] = f"Bearer {cloud.tokens.access_token(who)}"
        data = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{url}", headers=headers, body=data)

    return make


@pytest.fixture
def account(ask: Ask) -> str:
    """A service account of the project."""
    made: dict[str, Any] = ask(
        "POST",
        "iam.googleapis.com/v1/projects/berth-local/serviceAccounts",
        {"accountId": "robot-one"},
    ).json()
    return str(made["email"])
