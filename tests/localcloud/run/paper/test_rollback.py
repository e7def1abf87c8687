"""Traffic beside revisions that cannot serve: it goes back to a good one, and never to a bad one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.run.echo import IMAGE, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock

NAME = f"{PARENT}/services/hello"


class Story:
    """A service with two good revisions, and then a broken one."""

    def __init__(self, owner: Caller, clock: VirtualClock) -> None:
        """Deploy three times."""
        self.owner, self.clock = owner, clock
        broken = service()
        broken["template"]["containers"][0]["image"] = f"{IMAGE}:nope"
        path = f"{PARENT}/services?serviceId=hello"
        self.first = self._latest(owner("POST", path, service()))
        self.second = self._latest(owner("PATCH", NAME, service(env={"A": "b"})))
        self.broken = self._latest(owner("PATCH", NAME, broken))

    def _latest(self, answer: Any) -> str:
        assert answer.status == 200, answer.text
        self.clock.run_until_idle()
        created: str = self.owner("GET", NAME).json()["latestCreatedRevision"]
        return created.rpartition("/")[2]

    def send(self, *shares: tuple[str, int]) -> tuple[Any, Any]:
        """Send traffic to revisions; returns the operation's end and the service."""
        traffic = [
            {
                "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
                "revision": short,
                "percent": percent,
            }
            for short, percent in shares
        ]
        answer = self.owner("PATCH", f"{NAME}?updateMask=traffic", {"traffic": traffic})
        self.clock.run_until_idle()
        end = self.owner("GET", answer.json()["name"]).json()
        return end, self.owner("GET", NAME).json()


@pytest.fixture
def story(owner: Caller, clock: VirtualClock) -> Story:
    """Give a service whose latest revision is broken."""
    return Story(owner, clock)


def serving(made: Any) -> list[tuple[str, int]]:
    """Return where requests go."""
    return [(one["revision"], one["percent"]) for one in made["trafficStatuses"]]


def state(made: Any, kind: str) -> str:
    """Return how one of a service's conditions stands."""
    found: str = next(one["state"] for one in made["conditions"] if one["type"] == kind)
    return found


def test_traffic_goes_back_past_a_broken_revision(story: Story) -> None:
    """Whoever deployed a broken revision can choose any good one, not just the one before."""
    _, made = story.send((story.first, 100))

    assert serving(made) == [(story.first, 100)]
    assert state(made, "RoutesReady") == "CONDITION_SUCCEEDED"


def test_the_latest_revision_stays_broken(story: Story) -> None:
    """ConfigurationsReady is about the latest revision, whatever the traffic does."""
    _, made = story.send((story.first, 100))

    assert state(made, "ConfigurationsReady") == "CONDITION_FAILED"
    assert made["terminalCondition"]["state"] == "CONDITION_FAILED"


def test_traffic_never_goes_to_a_broken_revision(story: Story) -> None:
    """Even a share is refused; what served before serves on, and the operation says why."""
    end, made = story.send((story.first, 50), (story.broken, 50))

    assert serving(made) == [(story.second, 100)]
    assert state(made, "RoutesReady") == "CONDITION_FAILED"
    assert f"Revision '{story.broken}' is not ready" in end["error"]["message"]


def test_a_good_deployment_does_not_unbreak_an_older_revision(story: Story) -> None:
    """Traffic to an old broken revision is refused when the latest one is fine, too."""
    story.owner("PATCH", NAME, service(env={"A": "c"}))
    story.clock.run_until_idle()

    _, made = story.send((story.broken, 100))

    assert state(made, "ConfigurationsReady") == "CONDITION_SUCCEEDED"
    assert state(made, "RoutesReady") == "CONDITION_FAILED"
    assert story.broken not in dict(serving(made))
