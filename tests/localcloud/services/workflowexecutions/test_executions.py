"""Executions run, are seen, stopped and brought back as Google's API does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from localcloud.services import logging, secretmanager
from localcloud.services.workflowexecutions.runner import runner_of
from tests.localcloud.services.workflowexecutions.desk import HOST, NAME, Desk, open_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

ECHO = "main: {params: [a], steps: [{b: {return: '${a}'}}]}"
NAP = "- nap: {call: sys.sleep, args: {seconds: 100}}\n- out: {return: rested}"
SECRETS = "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets"
READ = f"""
- a: {{call: http.get, args: {{url: "{SECRETS}", auth: {{type: OAuth2}}}}, result: r}}
- b: {{return: "${{r.code}}"}}
"""
AWAIT = """
- a: {call: events.create_callback_endpoint, args: {http_callback_method: POST}, result: cb}
- n: {call: sys.sleep, args: {seconds: 10}}
- b: {call: events.await_callback, args: {callback: "${cb}", timeout: 1000}, result: r}
- c: {return: "${r.http_request.body}"}
"""


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project whose operations take no time."""
    made = open_cloud(tmp_path / "state", clock, secretmanager.SERVICE)
    yield made
    made.close()


@pytest.fixture
def desk(cloud: Cloud, ask: Callable[..., Any]) -> Desk:
    """The owner's view."""
    return Desk(cloud, ask)


def test_argument_and_result_are_json_text(desk: Desk) -> None:
    """What goes in comes out, with times, number and revision."""
    desk.deploy(ECHO)
    begun = desk.start({"k": [1, None, "é"]}, labels={"a": "b"})
    assert (begun["state"], begun["name"].split("/")[1]) == ("ACTIVE", desk.cloud.number)
    desk.pass_time(1)
    found = desk.get(begun["name"])
    assert found["state"] == "SUCCEEDED"
    assert json.loads(found["result"]) == {"k": [1, None, "é"]}
    assert found["labels"] == {"a": "b"}
    assert found["workflowRevisionId"].startswith("000001-")
    assert found["duration"] == "0s"
    assert {"createTime", "startTime", "endTime"} <= found.keys()


def test_a_failure_says_why_and_where(desk: Desk) -> None:
    """Payload, context and stack trace lead to the step."""
    desk.deploy("- a:\n    return: ${[1][5]}")
    error = desk.run()["error"]
    assert json.loads(error["payload"])["tags"] == ["IndexError", "LookupError"]
    assert error["context"].splitlines()[1] == 'in step "a", routine "main", line: 2'
    assert error["stackTrace"]["elements"][0]["position"]["line"] == "2"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"argument": "{"}, 400),
        ({"argument": "NaN"}, 400),
        ({"argument": json.dumps("x" * 33000)}, 400),
        ({"argument": {"a": 1}}, 400),
        ({"labels": {"Big": "x"}}, 400),
        ({"callLogLevel": "EVERYTHING"}, 400),
        ({"priority": 1}, 400),
    ],
)
def test_what_cannot_be_started(desk: Desk, body: dict[str, Any], status: int) -> None:
    """A bad request starts nothing."""
    desk.deploy(ECHO)
    assert desk.ask("POST", f"{HOST}{NAME}/executions", body).status == status
    assert desk.listed() == []


def test_nothing_of_that_name(desk: Desk) -> None:
    """Unknown workflows and executions are 404."""
    assert desk.ask("POST", f"{HOST}{NAME}/executions", {}).status == 404
    desk.deploy(ECHO)
    for path in ("", "/stepEntries", "/callbacks"):
        assert desk.ask("GET", f"{HOST}{NAME}/executions/none{path}").status == 404
    assert desk.ask("POST", f"{HOST}{NAME}/executions/none:cancel", {}).status == 404


def test_views(desk: Desk) -> None:
    """Get shows all and list the basics, unless asked otherwise."""
    desk.deploy(ECHO)
    name = desk.run(1)["name"]
    assert "result" in desk.get(name)
    assert "result" not in desk.get(name, "?view=BASIC")
    assert "result" not in desk.listed()[0]
    assert "result" in desk.listed("?view=FULL")[0]


def test_lists_are_filtered_and_ordered(desk: Desk) -> None:
    """Filters know states, labels, times, durations and steps; the newest comes first."""
    desk.deploy(NAP)
    first = desk.start(labels={"berth-deployment": "one"})["name"]
    desk.pass_time(5)
    second = desk.start(labels={"berth-deployment": "two"})["name"]
    desk.pass_time(96)
    assert [item["name"] for item in desk.listed()] == [second, first]
    assert [item["name"] for item in desk.listed("?orderBy=createTime")] == [first, second]
    for expression, names in {
        'state="ACTIVE"': [second],
        'state="SUCCEEDED" AND labels.berth-deployment="one"': [first],
        'label.berth-deployment="two"': [second],
        'stepName="nap"': [second],
        'duration>"99s"': [first],
        f'executionId="{second.rpartition("/")[2]}"': [second],
        'createTime>"2026-11-20T08:00:01Z"': [second],
        'workflowRevisionId:"000001"': [second, first],
        'state="FAILED"': [],
    }.items():
        found = desk.listed("?filter=" + quote(expression))
        assert [item["name"] for item in found] == names, expression
    assert desk.ask("GET", f"{HOST}{NAME}/executions?filter=state%3D").status == 400
    assert desk.ask("GET", f"{HOST}{NAME}/executions?orderBy=color").status == 400


def test_pages(desk: Desk) -> None:
    """A list is cut, and goes on where it stopped."""
    desk.deploy(ECHO)
    for number in range(3):
        desk.run(number)
    first = desk.get(f"{NAME}/executions", "?pageSize=2")
    second = desk.get(f"{NAME}/executions", f"?pageSize=2&pageToken={first['nextPageToken']}")
    assert (len(first["executions"]), len(second["executions"])) == (2, 1)


def test_a_running_execution_shows_where_it_is(desk: Desk) -> None:
    """The current step and the time so far are visible while it runs."""
    desk.deploy(NAP)
    name = desk.start()["name"]
    desk.pass_time(30)
    found = desk.get(name)
    assert found["status"]["currentSteps"] == [{"routine": "main", "step": "nap"}]
    assert found["duration"] == "30s"
    assert "endTime" not in found


def test_cancelling(desk: Desk) -> None:
    """A cancelled execution is over; one that is over cannot be cancelled."""
    desk.deploy(NAP)
    name = desk.start()["name"]
    desk.pass_time(1)
    answer = desk.ask("POST", f"{HOST}{name}:cancel", {})
    assert answer.json()["state"] == "CANCELLED"
    assert "error" in desk.get(name)
    assert desk.ask("POST", f"{HOST}{name}:cancel", {}).status == 400
    desk.pass_time(500)
    assert desk.get(name)["state"] == "CANCELLED"


def test_beyond_the_quota_executions_queue(desk: Desk) -> None:
    """They start in order when there is room, unless the caller would rather be refused."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    first, second = desk.start()["name"], desk.start()["name"]
    refused = {"disableConcurrencyQuotaOverflowBuffering": True}
    assert desk.ask("POST", f"{HOST}{NAME}/executions", refused).status == 429
    assert "startTime" not in desk.get(second)
    third = desk.start()["name"]
    assert desk.ask("POST", f"{HOST}{third}:cancel", {}).json()["state"] == "CANCELLED"
    desk.pass_time(101)
    assert [desk.get(name)["state"] for name in (first, second)] == ["SUCCEEDED", "ACTIVE"]
    desk.pass_time(101)
    assert desk.get(second)["state"] == "SUCCEEDED"


def test_a_workflow_may_do_what_its_account_may(desk: Desk, account: str) -> None:
    """Every request of a workflow is checked against the roles of its account."""
    desk.deploy(READ, serviceAccount=account)
    error = json.loads(desk.run()["error"]["payload"])
    assert (error["code"], error["body"]["error"]["status"]) == (403, "PERMISSION_DENIED")
    desk.cloud.grant(f"serviceAccount:{account}", "roles/secretmanager.viewer")
    assert desk.run()["result"] == "200"
    assert {call.who for call in desk.cloud.calls if "secretmanager" in call.method} == {account}


def test_a_lost_reply_is_a_broken_connection(desk: Desk) -> None:
    """A request that may have had its effect is told apart from one that had none."""
    desk.deploy(READ)
    desk.cloud.lose_reply("secretmanager.projects.secrets.list")
    desk.cloud.grant(
        f"serviceAccount:{desk.cloud.number}-compute@developer.gserviceaccount.com",
        "roles/secretmanager.viewer",
    )
    assert json.loads(desk.run()["error"]["payload"])["tags"] == ["ConnectionError"]


def test_a_running_execution_keeps_its_revision(desk: Desk) -> None:
    """A new source is for executions that start later."""
    desk.deploy(NAP)
    name = desk.start()["name"]
    url = f"workflows.googleapis.com/v1/{NAME}?updateMask=sourceContents"
    desk.ask("PATCH", url, {"sourceContents": ECHO})
    desk.pass_time(0)
    desk.pass_time(101)
    assert desk.get(name)["result"] == '"rested"'
    assert desk.run(7)["result"] == "7"


def test_step_entries(desk: Desk) -> None:
    """Each step left an entry that says what it was and how it ended."""
    desk.deploy(
        "- a: {assign: [{x: 1}]}\n- b: {raise: no}",
        executionHistoryLevel="EXECUTION_HISTORY_DETAILED",
    )
    name = desk.run()["name"]
    found = desk.get(name + "/stepEntries", "?view=EXECUTION_ENTRY_VIEW_DETAILED")
    assert found["totalSize"] == 2
    one, two = found["stepEntries"]
    assert (one["stepType"], one["state"], one["entryId"]) == (
        "STEP_ASSIGN",
        "STATE_SUCCEEDED",
        "1",
    )
    assert one["variableData"] == {"variables": {"x": 1}}
    assert (two["state"], two["exception"]) == ("STATE_FAILED", {"payload": '"no"'})
    assert two["navigationInfo"]["previous"] == "1"
    assert desk.get(one["name"]) == one
    failed = desk.get(name + "/stepEntries", "?filter=" + quote('state="STATE_FAILED"'))
    assert [entry["step"] for entry in failed["stepEntries"]] == ["b"]
    assert desk.ask("GET", HOST + name + "/stepEntries/9").status == 404
    assert desk.ask("POST", f"{HOST}{name}:deleteExecutionHistory", {}).status == 200
    assert desk.get(name + "/stepEntries")["totalSize"] == 0


@pytest.mark.parametrize(
    ("level", "functions"),
    [
        ("LOG_ALL_CALLS", ["sys.log", "sys.log", "http.get", "http.get"]),
        ("LOG_ERRORS_ONLY", ["http.get"]),
        ("LOG_NONE", []),
    ],
)
def test_logs(desk: Desk, level: str, functions: list[str]) -> None:
    """sys.log always writes; calls are logged at the level of the execution."""
    desk.deploy(
        "- a: {call: sys.log, args: {text: hello, severity: NOTICE}}\n"
        '- b: {call: http.get, args: {url: "https://nowhere.example/", headers: {Authorization: s3cret}}}',
        callLogLevel="LOG_ALL_CALLS",
    )
    desk.run(callLogLevel=level)
    written = logging.entries(desk.cloud.store)
    assert "s3cret" not in json.dumps(written)
    texts = [entry for entry in written if entry.get("textPayload") == "hello"]
    assert [entry["severity"] for entry in texts] == ["NOTICE"]
    assert texts[0]["resource"]["labels"]["workflow_id"] == "w"
    calls = [entry["jsonPayload"].get("callee") for entry in written if "jsonPayload" in entry]
    assert [name for name in calls if name] == functions
    system = [entry for entry in written if entry["logName"].endswith("executions_system")]
    assert [entry["jsonPayload"]["state"] for entry in system] == ["ACTIVE", "FAILED"]


def test_callbacks(desk: Desk) -> None:
    """The endpoint takes its own method from whoever may call it, once somebody waits or before."""
    desk.deploy(AWAIT)
    name = desk.start()["name"]
    desk.pass_time(1)
    (callback,) = desk.get(name + "/callbacks")["callbacks"]
    assert (callback["method"], callback["waiters"]) == ("POST", "0")
    url = HOST + callback["name"]
    assert desk.ask("PUT", url, {}).status == 405
    assert desk.ask("POST", url, {}, who="stranger@example.com").status == 403
    assert desk.ask("POST", url, {}, who=None).status == 401
    assert desk.ask("POST", url, {"n": 7}).status == 200
    assert desk.get(name + "/callbacks")["callbacks"][0]["availablePayloads"] == ["0"]
    desk.pass_time(20)
    assert json.loads(desk.get(name)["result"]) == {"n": 7}
    assert desk.ask("POST", url, {}).status == 404
    assert desk.get(name + "/callbacks") == {}


def test_executions_survive_a_restart(
    tmp_path: Path, clock: VirtualClock, cloud: Cloud, desk: Desk
) -> None:
    """What was over is still there; what slept wakes when it should; what came early is kept."""
    desk.deploy(NAP)
    sleeping = desk.start()["name"]
    desk.pass_time(40)
    done = desk.run()["name"]
    waking = desk.start()["name"]
    desk.pass_time(40)
    url = f"workflows.googleapis.com/v1/{NAME}?updateMask=sourceContents"
    desk.ask("PATCH", url, {"sourceContents": AWAIT})
    desk.pass_time(0)
    waiting = desk.start()["name"]
    desk.pass_time(1)
    endpoint = desk.get(waiting + "/callbacks")["callbacks"][0]["name"]
    assert desk.ask("POST", HOST + endpoint, {"n": 1}).status == 200
    cloud.close()
    again = open_cloud(tmp_path / "state", clock, secretmanager.SERVICE)

    def ask(method: str, address: str, body: Any = None) -> Any:
        headers = {"authorization": f"Bearer {again.tokens.access_token('owner@example.com')}"}
        content = b"" if body is None else json.dumps(body).encode()
        return again.request(method, f"https://{address}", headers=headers, body=content)

    later = Desk(again, ask)
    assert [later.get(name)["state"] for name in (sleeping, done)] == ["SUCCEEDED", "SUCCEEDED"]
    assert later.get(waking)["state"] == "ACTIVE"
    later.pass_time(58)
    assert later.get(waking)["state"] == "ACTIVE"
    later.pass_time(2)
    assert (later.get(waking)["state"], later.get(waking)["duration"]) == ("SUCCEEDED", "100s")
    assert json.loads(later.get(waiting)["result"]) == {"n": 1}
    again.close()


def test_deleting_a_workflow_ends_its_executions(desk: Desk) -> None:
    """Nothing of them is left, whether they ran or waited."""
    desk.deploy(NAP)
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    name = desk.start()["name"]
    assert desk.start()["state"] == "QUEUED"
    desk.pass_time(1)
    desk.ask("DELETE", f"workflows.googleapis.com/v1/{NAME}")
    desk.pass_time(1)
    assert desk.ask("GET", HOST + name).status == 404
    assert runner_of(desk.cloud).running == {}
    left = desk.cloud.store.read("select name from resources where name like ?", "%/executions/%")
    assert left == []
    assert desk.cloud.clock.pending() == 0  # type: ignore[attr-defined]


def test_rights(desk: Desk) -> None:
    """An invoker starts and sees; a viewer only sees; a stranger neither."""
    desk.deploy(ECHO)
    desk.cloud.grant("user:invoker@example.com", "roles/workflows.invoker")
    desk.cloud.grant("user:viewer@example.com", "roles/workflows.viewer")
    url = f"{HOST}{NAME}/executions"
    found = {
        who: (desk.ask("POST", url, {}, who=who).status, desk.ask("GET", url, who=who).status)
        for who in ("invoker@example.com", "viewer@example.com", "stranger@example.com")
    }
    assert list(found.values()) == [(200, 200), (403, 200), (403, 403)]
