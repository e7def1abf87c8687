"""What the Executions API refuses, counts, keeps and forgets."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from localcloud.cloud import Cloud
from localcloud.services.workflowexecutions import SERVICE_V1BETA as OLDER
from tests.localcloud.services.workflowexecutions.desk import HOST, NAME, Desk, open_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock

ECHO = "main: {params: [a], steps: [{b: {return: '${a}'}}]}"
NAP = "- nap: {call: sys.sleep, args: {seconds: 100}}\n- out: {return: rested}"
DAY = 24 * 3600.0


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project whose operations take no time."""
    made = open_cloud(tmp_path / "state", clock, OLDER)
    yield made
    made.close()


@pytest.fixture
def desk(cloud: Cloud, ask: Callable[..., Any]) -> Desk:
    """The owner's view."""
    return Desk(cloud, ask)


def test_labels_come_from_the_workflow_and_are_overridden(desk: Desk) -> None:
    """An execution has its workflow's labels, but for those it sets itself."""
    desk.deploy(ECHO, labels={"team": "red", "tier": "one"})
    assert desk.start(labels={"tier": "zwei-ü"})["labels"] == {"team": "red", "tier": "zwei-ü"}
    assert desk.start()["labels"] == {"team": "red", "tier": "one"}


@pytest.mark.parametrize(
    "expression",
    [
        "colour=red",
        'state="DONE"',
        'createTime>"yesterday"',
        'duration>"long"',
        "result:1",
        "anything",
        'state="FAILED" AND',
        "(state=ACTIVE",
    ],
)
def test_what_cannot_be_asked(desk: Desk, expression: str) -> None:
    """A filter names known fields and values that they can have."""
    desk.deploy(ECHO)
    answer = desk.ask("GET", f"{HOST}{NAME}/executions?filter={quote(expression)}")
    assert (answer.status, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_what_can_be_asked(desk: Desk) -> None:
    """Times compare as times and durations as durations, whatever their digits."""
    desk.deploy(NAP)
    begun = desk.start(disableConcurrencyQuotaOverflowBuffering=True)
    time = begun["createTime"].replace(".000000", "")
    desk.pass_time(9)
    for expression, count in {
        f'createTime="{time}"': 1,
        f'startTime<="{time}" AND state=ACTIVE': 1,
        "duration>8s": 1,
        'duration="9s"': 1,
        "duration>10s": 0,
        "disableConcurrencyQuotaOverflowBuffering=true": 1,
        "NOT stepName=nap": 0,
        "label:team": 0,
        f'createTime>"{time}" OR stepName="nap"': 1,
    }.items():
        assert len(desk.listed("?filter=" + quote(expression))) == count, expression


def test_lists_need_a_workflow_and_can_have_all(desk: Desk) -> None:
    """Executions of no workflow are 404; those of every workflow are under a dash."""
    assert desk.ask("GET", f"{HOST}{NAME}/executions").status == 404
    desk.deploy(ECHO)
    name = desk.run()["name"]
    everywhere = NAME.rpartition("/")[0] + "/-/executions"
    assert [item["name"] for item in desk.get(everywhere)["executions"]] == [name]


@pytest.mark.parametrize(
    ("metric", "method", "path"),
    [
        ("executions.list", "GET", f"{NAME}/executions"),
        ("executions.write", "POST", f"{NAME}/executions"),
        ("executions.get", "GET", f"{NAME}/executions/none"),
    ],
)
def test_requests_per_minute(desk: Desk, metric: str, method: str, path: str) -> None:
    """Beyond its quota a call is refused in Google's words, until the minute is over."""
    desk.deploy(ECHO)
    desk.cloud.quotas[f"workflows:{metric}"] = 2
    body: dict[str, Any] | None = {} if method == "POST" else None
    first = [desk.ask(method, HOST + path, body).status for _ in range(2)]
    third = desk.ask(method, HOST + path, body)
    desk.pass_time(61)

    assert 429 not in first
    assert third.status == 429
    error = third.json()["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert error["message"].startswith("Quota exceeded for quota metric 'Execution ")
    assert "of service 'workflowexecutions.googleapis.com'" in error["message"]
    assert desk.ask(method, HOST + path, body).status == first[0]


def test_deployments_per_minute(desk: Desk) -> None:
    """The API that deploys has a quota of its own, for each location."""
    desk.cloud.quotas["workflows:workflows"] = 1
    url = "workflows.googleapis.com/v1/projects/berth-local/locations/{}/workflows"
    statuses = [
        desk.ask("GET", url.format(place)).status
        for place in ("europe-west1", "europe-west1", "us-central1")
    ]
    assert statuses == [200, 429, 200]


def test_as_many_workflows_as_there_may_be(desk: Desk) -> None:
    """A project has room for 10,000; one more ends its operation with an error."""
    desk.cloud.quotas["workflows.workflows"] = 1
    desk.deploy(ECHO)
    parent, _, _ = NAME.rpartition("/")
    url = f"workflows.googleapis.com/v1/{parent}?workflowId=second"
    operation = desk.ask("POST", url, {"sourceContents": ECHO}).json()["name"]
    desk.pass_time(1)
    ended = desk.ask("GET", f"workflows.googleapis.com/v1/{operation}").json()
    assert (ended["error"]["code"], "response" in ended) == (8, False)


def test_create_and_cancel_share_a_quota(desk: Desk) -> None:
    """They are counted together, and apart from reading."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.write"] = 2
    name = desk.start()["name"]
    assert desk.ask("POST", f"{HOST}{name}:cancel", {}).status == 200
    assert desk.ask("POST", f"{HOST}{NAME}/executions", {}).status == 429
    assert desk.ask("GET", HOST + name).status == 200


def test_the_queue_has_an_end(desk: Desk) -> None:
    """Beyond the backlog executions are refused; a place that gets free goes to the first."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    desk.cloud.quotas["workflows:executions.backlog"] = 2
    names = [desk.start()["name"] for _ in range(3)]
    assert desk.ask("POST", f"{HOST}{NAME}/executions", {}).status == 429
    assert desk.ask("POST", f"{HOST}{names[1]}:cancel", {}).status == 200
    names.append(desk.start()["name"])
    assert desk.ask("POST", f"{HOST}{NAME}/executions", {}).status == 429
    assert desk.ask("POST", f"{HOST}{names[0]}:cancel", {}).status == 200
    desk.pass_time(1)
    states = [desk.get(name)["state"] for name in names]
    assert states == ["CANCELLED", "CANCELLED", "ACTIVE", "QUEUED"]
    assert desk.get(names[2])["startTime"] >= desk.get(names[2])["createTime"]


def test_the_queue_survives_a_restart(
    tmp_path: Path, clock: VirtualClock, cloud: Cloud, desk: Desk
) -> None:
    """What waited still waits, in its order."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    names = [desk.start()["name"] for _ in range(3)]
    desk.pass_time(50)
    cloud.close()
    again = Cloud(tmp_path / "state", clock=clock, only=cloud.services)
    again.quotas["workflows:executions.concurrent"] = 1
    again.start()
    ended: dict[str, str] = {}
    clock.advance(301)
    for key, record in again.store.of("workflowexecutions").under("projects/"):
        ended[again.by_number(key)] = record["endTime"]
    assert sorted(names, key=lambda name: ended[name]) == names
    assert len(set(ended.values())) == 3
    again.close()


def test_a_year_is_the_limit(desk: Desk) -> None:
    """An execution that is still running after a year fails with an error that nothing catches."""
    desk.deploy(
        "main: {steps: [{a: {try: {steps: [{b: {call: sys.sleep, args: {seconds: 31536000}}},"
        " {c: {call: sys.sleep, args: {seconds: 31536000}}}]}, except: {as: e, steps: [{d: {return: caught}}]}}}]}"
    )
    name = desk.start()["name"]
    desk.pass_time(364 * DAY)
    assert desk.get(name)["state"] == "ACTIVE"
    desk.pass_time(2 * DAY)
    found = desk.get(name)
    assert (found["state"], found["duration"]) == ("FAILED", "31536000s")
    assert "ResourceLimitError" in json.loads(found["error"]["payload"])["tags"]


def test_executions_are_kept_for_90_days(desk: Desk) -> None:
    """Then they are gone, with all that belongs to them; what still runs stays."""
    desk.deploy("main: {params: [a], steps: [{b: {call: sys.sleep, args: {seconds: '${a}'}}}]}")
    short, long = desk.start(10)["name"], desk.start(100 * DAY)["name"]
    desk.pass_time(89 * DAY)
    assert desk.get(short)["state"] == "SUCCEEDED"
    desk.pass_time(2 * DAY)
    assert desk.ask("GET", HOST + short).status == 404
    assert [item["name"] for item in desk.listed()] == [long]
    assert desk.ask("GET", f"{HOST}{short}/stepEntries").status == 404
    left = desk.cloud.store.read("select name from resources where name like ?", f"%{short[-36:]}%")
    assert left == []


MESSAGE = {"data": base64.b64encode(b"hello").decode(), "messageId": "7", "attributes": {"a": "b"}}
PUSH: dict[str, Any] = {
    "message": MESSAGE,
    "subscription": "projects/berth-local/subscriptions/eventarc",
    "GCPCloudEventsMode": "CUSTOM_PUBSUB_projects/berth-local/topics/orders",
}


def test_a_message_starts_an_execution(desk: Desk) -> None:
    """Its argument is the CloudEvent that Eventarc makes of the message."""
    desk.deploy(ECHO)
    answer = desk.ask("POST", f"{HOST}{NAME}:triggerPubsubExecution", PUSH)
    desk.pass_time(1)
    event = json.loads(desk.get(answer.json()["name"])["result"])
    assert event["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert event["source"] == "//pubsub.googleapis.com/projects/berth-local/topics/orders"
    assert event["data"] == {"message": MESSAGE, "subscription": PUSH["subscription"]}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"message": None}, 400),
        ({"message": {"messageId": "1"}}, 400),
        ({"message": {"data": "%%"}}, 400),
        ({"subscription": "eventarc"}, 400),
        ({"GCPCloudEventsMode": ""}, 400),
        ({"topic": "t"}, 400),
    ],
)
def test_what_starts_nothing(desk: Desk, change: dict[str, Any], status: int) -> None:
    """A push that is none is refused."""
    desk.deploy(ECHO)
    body = {key: value for key, value in {**PUSH, **change}.items() if value is not None}
    answer = desk.ask("POST", f"{HOST}{NAME}:triggerPubsubExecution", body)
    assert answer.status == status, answer.body
    assert desk.listed() == []


def test_a_message_never_waits(desk: Desk) -> None:
    """Executions of triggers do not queue: Pub/Sub comes again."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    desk.start()
    assert desk.ask("POST", f"{HOST}{NAME}:triggerPubsubExecution", PUSH).status == 429


def test_what_is_exported(desk: Desk) -> None:
    """The steps as they are billed: a request to somebody else and a callback are external."""
    desk.deploy(
        "- a: {try: {call: http.get, args: {url: 'https://example.org/'}}, except: {as: e, steps: [{c: {assign: [{x: 1}]}}]}}\n"
        "- b: {call: http.get, args: {url: 'https://iam.googleapis.com/v1/x'}}"
    )
    name = desk.run()["name"]
    exported = json.loads(desk.get(name + ":exportData")["data"])
    assert exported["execution"]["name"] == name
    assert exported["billedSteps"]["external"] == 1
    assert exported["billedSteps"]["internal"] >= 3
    assert exported["stepEntries"] > 0
    assert desk.ask("GET", f"{HOST}{NAME}/executions/none:exportData").status == 404
    assert "_billed" not in json.dumps(desk.listed("?view=FULL"))


def test_the_older_version_shows_less(desk: Desk) -> None:
    """v1beta has no durations, labels or times of creation."""
    desk.deploy(ECHO)
    name = desk.run(1)["name"]
    found = desk.ask("GET", HOST.replace("/v1/", "/v1beta/") + name).json()
    assert (found["state"], found["result"]) == ("SUCCEEDED", "1")
    assert not {"createTime", "duration", "labels"} & found.keys()
