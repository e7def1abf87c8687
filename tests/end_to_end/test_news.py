"""What subscribers hear of a deployment's life, through Google's own client."""

from typing import Any

import pytest

from tests.end_to_end.conftest import News
from tests.end_to_end.installation import PROJECT, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

LIFE = [
    *("PENDING", "PROVISIONING", "FAILED"),  # a bucket was in the way
    *("PENDING", "PROVISIONING", "READY"),
    *("DELETING", "DELETED"),
]


@pytest.fixture(scope="module")
def heard(berth: Installation, news: News, removed: object) -> list[dict[str, Any]]:  # noqa: ARG001
    """Every event that a filtered, ordered subscription got by streaming pull."""
    found: list[dict[str, Any]] = berth.program("hear", news.filtered, "members", "DELETED")
    return found


def test_a_life_is_told_in_order(heard: list[dict[str, Any]]) -> None:
    """Each change of state once, in the order in which it happened."""
    told: dict[str, dict[str, Any]] = {
        event["attributes"]["ce-id"]: event["attributes"]
        for event in heard
        if event["attributes"]["deployment"] == "members"
    }
    states = [attributes["state"] for attributes in told.values()]

    assert [state for state in states if state != "DELETING"] == [
        state for state in LIFE if state != "DELETING"
    ]
    assert "DELETING" in states[states.index("READY", 4) : states.index("DELETED")]


def test_events_are_cloud_events(heard: list[dict[str, Any]]) -> None:
    """Attributes as CloudEvents in binary mode; the key keeps a deployment's events in order."""
    for event in heard:
        attributes, data = event["attributes"], event["data"]
        name, generation, state = attributes["ce-id"].split("/")

        assert attributes["ce-specversion"] == "1.0"
        assert attributes["ce-type"] == "berth.deployment.state"
        assert attributes["ce-source"] == f"//berth/deployments/{name}"
        assert attributes["ce-datacontenttype"] == "application/json"
        assert attributes["ce-time"]
        assert event["key"] == name == attributes["deployment"] == data["deployment"]
        assert int(generation) == data["generation"]
        assert state == attributes["state"] == data["state"]


def test_only_the_teams_own_events_pass_the_filter(heard: list[dict[str, Any]]) -> None:
    """The filter looks at attributes.team."""
    assert {event["attributes"]["team"] for event in heard} == {"risk"}


@pytest.mark.usefixtures("door")
def test_the_example_prints_what_became_ready(news: News, door: dict[str, Any]) -> None:
    """examples/subscriber.py says in one line what is READY and where."""
    lines = news.example.read_text().splitlines()

    assert any(line.startswith("READY") and line.endswith(door["url"]) for line in lines), lines
    assert f"{PROJECT}" not in "".join(line for line in lines if "READY" not in line)
