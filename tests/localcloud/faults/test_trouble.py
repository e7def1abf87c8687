"""What can be had go wrong: each kind happens as planned, as often as planned, and on time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.faults import latency
from localcloud.transport import ConnectionFailed, ConnectionReset

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localcloud.conftest import Ask

HOST = "secretmanager.googleapis.com"
SECRETS = f"{HOST}/v1/projects/berth-local/secrets"
GOOD: dict[str, Any] = {"replication": {"automatic": {}}}
CREATE = "secretmanager.projects.secrets.create"
GET = "secretmanager.projects.secrets.get"
LIST = "secretmanager.projects.secrets.list"
REPOSITORIES = (
    "artifactregistry.googleapis.com/v1/projects/berth-local/locations/europe-west1/repositories"
)
MAKE = "artifactregistry.projects.locations.repositories.create"


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable(HOST, "artifactregistry.googleapis.com")


def test_a_reset_comes_before_the_effect(cloud: Cloud, ask: Ask) -> None:
    """The connection breaks, and nothing was made."""
    cloud.reset(CREATE)

    with pytest.raises(ConnectionReset):
        ask("POST", f"{SECRETS}?secretId=a", GOOD)

    assert ask("GET", f"{SECRETS}/a").status == 404
    assert [record.status for record in cloud.calls.of(CREATE)] == [0]


def test_a_method_that_is_not_there_comes_with_one_that_is(cloud: Cloud) -> None:
    """Who writes an API's host for the name in its document is told the name."""
    with pytest.raises(LookupError, match=r"did you mean sql\.instances\.patch\?"):
        cloud.fail("sqladmin.instances.patch")


def test_a_slow_reply_takes_its_time(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """A virtual clock goes on by as much, once."""
    cloud.slow(GET, 12)
    before = clock.now()

    ask("GET", f"{SECRETS}/a")
    ask("GET", f"{SECRETS}/a")

    assert clock.now() - before == pytest.approx(12)


def test_a_reply_slower_than_the_caller_waits_is_a_timeout(cloud: Cloud) -> None:
    """Who waits ten seconds does not get an answer that takes twelve."""
    cloud.slow(LIST, 12)
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}

    with pytest.raises(TimeoutError):
        cloud.request("GET", f"https://{SECRETS}", headers=headers, timeout=10)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_slow_reply_is_slower_than_nothing(cloud: Cloud, seconds: float) -> None:
    """A plan that plans nothing is a mistake."""
    with pytest.raises(ValueError, match="more than 0"):
        cloud.slow(GET, seconds)


def test_a_lost_operation_does_its_work_and_is_not_found(
    cloud: Cloud, clock: VirtualClock, ask: Ask
) -> None:
    """Polls answer 404, the thing is there."""
    cloud.lose_operation(MAKE)
    started = ask("POST", f"{REPOSITORIES}?repositoryId=x", {"format": "DOCKER"}).json()
    clock.advance(60)

    assert ask("GET", f"artifactregistry.googleapis.com/v1/{started['name']}").status == 404
    assert ask("GET", f"{REPOSITORIES}/x").status == 200


def test_failed_operations_can_be_several(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """Each of them ends with the error, the next one as it should."""
    cloud.fail_operation(MAKE, "UNAVAILABLE", "busy", times=2)
    found = []
    for _ in range(3):
        name = ask("POST", f"{REPOSITORIES}?repositoryId=x", {"format": "DOCKER"}).json()["name"]
        clock.advance(60)
        found.append(ask("GET", f"artifactregistry.googleapis.com/v1/{name}").json())

    assert [one.get("error", {}).get("code") for one in found] == [14, 14, None]


def test_stale_reads_show_what_was(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """A new thing is not there yet, a changed one is as it was, and a deleted one is still there."""
    cloud.stale(GET, 10)
    url = f"{SECRETS}/a"

    ask("POST", f"{SECRETS}?secretId=a", GOOD)
    assert ask("GET", url).status == 404
    clock.advance(11)
    assert "labels" not in ask("GET", url).json()
    ask("PATCH", f"{url}?updateMask=labels", {"labels": {"a": "b"}})
    assert "labels" not in ask("GET", url).json()
    clock.advance(11)
    assert ask("GET", url).json()["labels"] == {"a": "b"}
    ask("DELETE", url)
    assert ask("GET", url).status == 200
    clock.advance(11)
    assert ask("GET", url).status == 404


def test_only_the_named_method_reads_the_past(cloud: Cloud, ask: Ask) -> None:
    """Writing and listing see the present; a lag of nothing ends it."""
    cloud.stale(GET, 10)
    ask("POST", f"{SECRETS}?secretId=a", GOOD)

    assert ask("POST", f"{SECRETS}?secretId=a", GOOD).status == 409
    assert len(ask("GET", SECRETS).json()["secrets"]) == 1
    cloud.stale(GET, 0)
    assert ask("GET", f"{SECRETS}/a").status == 200


def test_lists_lag_too(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """What is gone is still listed, what is new is not yet."""
    ask("POST", f"{SECRETS}?secretId=a", GOOD)
    clock.advance(1)
    cloud.stale(LIST, 10)
    ask("POST", f"{SECRETS}?secretId=b", GOOD)
    ask("DELETE", f"{SECRETS}/a")

    def names() -> list[str]:
        found = ask("GET", SECRETS).json().get("secrets", [])
        return [secret["name"].rpartition("/")[2] for secret in found]

    assert names() == ["a"]
    clock.advance(11)
    assert names() == ["b"]


@pytest.mark.parametrize("method", [CREATE, "storage.buckets.get", "pubsub.projects.topics.get"])
def test_only_reads_that_may_lag_can_be_stale(cloud: Cloud, method: str) -> None:
    """Writes never are, and Cloud Storage promises that its reads are not."""
    with pytest.raises(ValueError, match=r"stale|does not read"):
        cloud.stale(method, 10)


def test_too_many_calls_hear_when_to_come_back(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """The refusal names metric, limit, service and consumer, and the time to wait."""
    cloud.limit(LIST, 2)
    answers = [ask("GET", SECRETS) for _ in range(3)]

    refused = answers[2]
    details = {
        item["@type"].rpartition(".")[2]: item for item in refused.json()["error"]["details"]
    }
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert refused.headers["retry-after"] == "60"
    assert details["ErrorInfo"]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert details["ErrorInfo"]["metadata"]["service"] == HOST
    assert details["QuotaFailure"]["violations"][0]["subject"] == "project_number:123456789012"
    assert details["RetryInfo"]["retryDelay"] == "60.000s"
    assert "and limit 'list requests per minute'" in refused.json()["error"]["message"]
    clock.advance(60)
    assert ask("GET", SECRETS).status == 200


@pytest.mark.parametrize(("pace", "column"), [("low", 0), ("typical", 1), ("high", 2)])
def test_a_pace_holds_for_calls_and_operations(
    cloud: Cloud, clock: VirtualClock, ask: Ask, pace: str, column: int
) -> None:
    """A call takes its time before it is answered, an operation until it is done."""
    cloud.pace(pace)
    before = clock.now()

    ask("POST", f"{SECRETS}?secretId=a", GOOD)
    assert clock.now() - before == pytest.approx(latency.CALLS[CREATE][column])
    name = ask("POST", f"{REPOSITORIES}?repositoryId=x", {"format": "DOCKER"}).json()["name"]
    poll = f"artifactregistry.googleapis.com/v1/{name}"
    clock.advance(latency.OPERATIONS[MAKE][column] - 0.1)
    assert not ask("GET", poll).json().get("done")
    clock.advance(0.2)
    assert ask("GET", poll).json()["done"] is True


def test_an_unknown_pace_is_refused(cloud: Cloud) -> None:
    """Paces are named."""
    with pytest.raises(ValueError, match="low, typical, high"):
        cloud.pace("medium")


def test_every_duration_is_that_of_a_method(cloud: Cloud) -> None:
    """The tables name methods that exist, and low is below typical is below high."""
    for method, times in {**latency.OPERATIONS, **latency.CALLS}.items():
        assert cloud.router.names(method), method
        assert list(times) == sorted(times), method


def _story(folder: Path, seed: int) -> list[object]:
    """Fifty creations in a cloud where much goes wrong, and how long each took."""
    clock = VirtualClock()
    cloud = Cloud(folder, clock=clock, seed=seed)
    cloud.enable(HOST)
    cloud.chaos(unavailable=0.2, lost=0.2)
    cloud.pace("spread")
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    found: list[object] = []
    for number in range(50):
        before = clock.now()
        try:
            url = f"https://{SECRETS}?secretId=s{number}"
            body = b'{"replication": {"automatic": {}}}'
            found.append(cloud.request("POST", url, headers=headers, body=body).status)
        except ConnectionFailed:
            found.append("lost")
        found.append(round(clock.now() - before, 6))
    cloud.close()
    return found


def test_chance_repeats_itself_from_its_seed(tmp_path: Path) -> None:
    """The same seed gives the same failures and durations, another one others."""
    first, again, other = (
        _story(tmp_path / str(index), seed) for index, seed in enumerate((1, 1, 2))
    )

    assert first == again
    assert first != other
    assert {200, 503, "lost"} <= set(first)


def test_chance_takes_operations_too(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """With certainty for a chance every operation fails, or vanishes."""
    ends = []
    for name, shares in (("x", {"operations_failed": 1.0}), ("y", {"operations_lost": 1.0})):
        cloud.chaos(**shares)
        url = f"{REPOSITORIES}?repositoryId={name}"
        started = ask("POST", url, {"format": "DOCKER"}).json()["name"]
        clock.advance(60)
        ends.append(ask("GET", f"artifactregistry.googleapis.com/v1/{started}"))

    assert ends[0].json()["error"]["message"] == "The operation failed."
    assert ends[1].status == 404


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_share(cloud: Cloud, share: float) -> None:
    """More than everything cannot fail."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        cloud.chaos(lost=share)


def test_trouble_ends_at_once(cloud: Cloud, ask: Ask) -> None:
    """Plans, limits, lags and chance are dropped together."""
    cloud.fail(GET, 500)
    cloud.limit(GET, 0)
    cloud.stale(GET, 100)
    cloud.chaos(unavailable=1.0)

    cloud.end_trouble()

    assert ask("POST", f"{SECRETS}?secretId=a", GOOD).status == 200
    assert ask("GET", f"{SECRETS}/a").status == 200


@pytest.mark.parametrize(
    ("verb", "given", "error"),
    [
        ("explode", {}, LookupError),
        ("fail", {}, ValueError),
        ("fail", {"method": GET, "colour": "red"}, ValueError),
        ("fail", {"method": "nope.nope"}, LookupError),
        ("slow", {"method": GET}, ValueError),
        ("delay", {"kind": "money", "seconds": 1}, ValueError),
        ("__class__", {}, LookupError),
    ],
)
def test_a_plan_that_is_none_is_refused(
    cloud: Cloud, verb: str, given: dict[str, Any], error: type[Exception]
) -> None:
    """Commands hear what they may say."""
    with pytest.raises(error):
        cloud.plan(verb, given)
