"""Snapshots over REST, on a clock that stands still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from tests.localcloud.conftest import Ask

HOST = "pubsub.googleapis.com/v1/projects/berth-local"
PROJECT = "projects/berth-local"
WEEK = 7 * 86_400
SNAP = {"subscription": f"{PROJECT}/subscriptions/sub"}


@pytest.fixture
def subscribed(ask: Ask) -> Ask:
    """A topic with one message that a subscription has not taken yet."""
    settings = {"topic": f"{PROJECT}/topics/news", "messageRetentionDuration": f"{2 * WEEK}s"}
    ask("PUT", f"{HOST}/topics/news", {})
    ask("PUT", f"{HOST}/subscriptions/sub", settings)
    ask("POST", f"{HOST}/topics/news:publish", {"messages": [{"data": "eA=="}]})
    return ask


def _pulled(ask: Ask) -> list[Any]:
    body = {"maxMessages": 10, "returnImmediately": True}
    found = ask("POST", f"{HOST}/subscriptions/sub:pull", body)
    return list(found.json().get("receivedMessages", []))


def test_a_snapshot_lives_a_week_less_the_age_of_its_backlog(
    subscribed: Ask, clock: VirtualClock
) -> None:
    """Then it is gone; and one that would live for less than an hour is not made."""
    clock.advance(WEEK - 3601)
    made = subscribed("PUT", f"{HOST}/snapshots/snap", SNAP)
    assert (made.status, made.json()["expireTime"][:16]) == (200, "2026-11-27T08:00")
    clock.advance(2)
    late = subscribed("PUT", f"{HOST}/snapshots/late", SNAP)
    assert (late.status, late.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")

    clock.advance(3600)
    assert subscribed("GET", f"{HOST}/snapshots/snap").status == 404
    assert subscribed("GET", f"{HOST}/snapshots").json() == {}
    seek = {"snapshot": f"{PROJECT}/snapshots/snap"}
    assert subscribed("POST", f"{HOST}/subscriptions/sub:seek", seek).status == 404


def test_a_seek_goes_forward_too(subscribed: Ask, clock: VirtualClock) -> None:
    """What was published before the moment is done, a snapshot brings it back."""
    subscribed("PUT", f"{HOST}/snapshots/snap", SNAP)
    clock.advance(60)
    moment = {"time": clock.rfc3339()}
    assert subscribed("POST", f"{HOST}/subscriptions/sub:seek", moment).status == 200
    assert _pulled(subscribed) == []

    back = {"snapshot": f"{PROJECT}/snapshots/snap"}
    assert subscribed("POST", f"{HOST}/subscriptions/sub:seek", back).status == 200
    assert [item["message"]["data"] for item in _pulled(subscribed)] == ["eA=="]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ({}, 400),
        ({"time": "yesterday"}, 400),
        ({"snapshot": f"{PROJECT}/snapshots/absent"}, 404),
        ({"snapshot": 5}, 400),
    ],
)
def test_a_seek_to_nowhere_is_refused(subscribed: Ask, target: dict[str, Any], status: int) -> None:
    """And the backlog stays."""
    assert subscribed("POST", f"{HOST}/subscriptions/sub:seek", target).status == status
    assert len(_pulled(subscribed)) == 1


@pytest.mark.parametrize(
    ("mask", "words"),
    [("topic", "not mutable"), ("nope", "not a known Snapshot field"), ("", "non-empty paths")],
)
def test_a_snapshot_changes_under_a_mask(subscribed: Ask, mask: str, words: str) -> None:
    """Labels and the time it expires; nothing else."""
    subscribed("PUT", f"{HOST}/snapshots/snap", SNAP)
    name = f"{HOST}/snapshots/snap"
    good = {"snapshot": {"labels": {"a": "b"}}, "updateMask": "labels"}
    assert subscribed("PATCH", name, good).json()["labels"] == {"a": "b"}

    refused = subscribed("PATCH", name, {"snapshot": {}, "updateMask": mask})

    assert refused.status == 400
    assert words in refused.json()["error"]["message"]
