"""The history of executions: step entries that say where they belong, and the log of calls."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from localcloud.services import logging
from tests.localcloud.services.workflowexecutions.desk import HOST, Desk, open_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project whose operations take no time."""
    made = open_cloud(tmp_path / "state", clock)
    yield made
    made.close()


@pytest.fixture
def desk(cloud: Cloud, ask: Callable[..., Any]) -> Desk:
    """The owner's view."""
    return Desk(cloud, ask)


LOOPS = """
main:
  steps:
    - one: {assign: [{n: 0}]}
    - each:
        for: {value: v, in: [1, 2], steps: [{add: {assign: [{n: "${n + v}"}]}}]}
    - beside:
        parallel:
          for: {value: v, in: [1, 2], steps: [{rest: {call: sys.sleep, args: {seconds: 1000}}}]}
"""


def test_entries_say_where_they_belong(desk: Desk) -> None:
    """Iterations count from 1, know their parent and their neighbours; cancelled steps say so."""
    desk.deploy(LOOPS, executionHistoryLevel="EXECUTION_HISTORY_DETAILED")
    name = desk.start()["name"]
    desk.pass_time(1)
    running = desk.get(name + "/stepEntries")["stepEntries"]
    assert {entry["state"] for entry in running if entry["step"] == "rest"} == {"STATE_IN_PROGRESS"}
    desk.ask("POST", f"{HOST}{name}:cancel", {})
    desk.pass_time(1)
    found = desk.get(name + "/stepEntries")["stepEntries"]
    by_id = {entry["entryId"]: entry for entry in found}
    loop = next(entry for entry in found if entry["stepType"] == "STEP_FOR")
    children = [by_id[number] for number in loop["navigationInfo"]["children"]]

    assert [item["stepEntryMetadata"]["progressNumber"] for item in children] == ["1", "2"]
    assert {item["stepEntryMetadata"]["progressType"] for item in children} == {"PROGRESS_TYPE_FOR"}
    assert children[0]["stepEntryMetadata"]["expectedIteration"] == "2"
    assert children[0]["navigationInfo"]["next"] == children[1]["entryId"]
    assert by_id[loop["navigationInfo"]["previous"]]["step"] == "one"
    assert by_id[loop["navigationInfo"]["next"]]["step"] == "beside"
    resting = [entry for entry in found if entry["step"] == "rest"]
    assert {entry["state"] for entry in resting} == {"STATE_CANCELLED"}
    assert {entry["updateTime"] for entry in resting} == {desk.get(name)["endTime"]}
    assert len({entry["stepEntryMetadata"]["threadId"] for entry in resting}) == 2
    around = by_id[resting[0]["navigationInfo"]["parent"]]
    assert around["stepEntryMetadata"]["progressType"] == "PROGRESS_TYPE_PARALLEL_FOR"


def test_lists_of_entries(desk: Desk) -> None:
    """Filtered by number, state and parent; ordered as numbers; skipped and cut."""
    desk.deploy("- each: {for: {value: v, range: [1, 12], steps: [{s: {assign: [{x: '${v}'}]}}]}}")
    path = desk.run()["name"] + "/stepEntries"
    first = desk.get(path)["stepEntries"]

    def numbers(query: str) -> list[str]:
        return [entry["entryId"] for entry in desk.get(path, query).get("stepEntries", [])]

    assert numbers("?orderBy=entryId%20desc&pageSize=2") == ["25", "24"]
    assert numbers("?filter=" + quote("entryId>=9 AND entryId<11")) == ["9", "10"]
    assert numbers("?filter=" + quote('parent="1"')) == first[0]["navigationInfo"]["children"]
    assert numbers("?filter=" + quote("state=SUCCEEDED AND stepType=STEP_FOR")) == ["1"]
    assert numbers("?skip=23") == ["24", "25"]
    cut = desk.get(path, "?pageSize=20&skip=2")
    assert (len(cut["stepEntries"]), cut["totalSize"]) == (20, 25)
    rest = desk.get(path, f"?pageSize=20&skip=2&pageToken={cut['nextPageToken']}")
    assert [entry["entryId"] for entry in rest["stepEntries"]] == ["23", "24", "25"]
    assert "expectedIteration" not in json.dumps(first)
    for query in ("?filter=colour%3Dred", "?filter=state%3DBAD", "?orderBy=parent", "?skip=-1"):
        assert desk.ask("GET", HOST + path + query).status == 400, query


def test_the_call_log(desk: Desk) -> None:
    """Entries are EngineCallLogs: begun with arguments, then the answer or the exception."""
    desk.deploy(
        "main: {steps: [{a: {call: sub, args: {n: 2}, result: r}}, {b: {return: '${r}'}}]}\n"
        "sub: {params: [n], steps: [{c: {call: sys.sleep, args: {seconds: 5}}}, {d: {raise: no}}]}",
        callLogLevel="LOG_ALL_CALLS",
    )
    name = desk.run()["name"]
    written = [
        entry for entry in logging.entries(desk.cloud.store) if "engine_call" in entry["logName"]
    ]
    found = [
        (
            entry["jsonPayload"]["state"],
            entry["jsonPayload"]["callee"],
            entry["jsonPayload"]["step"],
        )
        for entry in written
    ]
    assert found == [
        ("BEGUN", "sub", "a"),
        ("BEGUN", "sys.sleep", "c"),
        ("SUCCEEDED", "sys.sleep", "c"),
        ("EXCEPTION_RAISED", "sub", "a"),
    ]
    begun, _, slept, raised = (entry["jsonPayload"] for entry in written)
    assert begun["begun"]["namedArgs"] == {"n": 2}
    assert begun["executionId"] == name.rpartition("/")[2]
    assert slept["succeeded"]["callStartTime"] < slept["activityTime"]
    assert raised["exceptionRaised"]["exception"] == '"no"'
    assert raised["exceptionRaised"]["origin"] == "sub.d"
    assert raised["exceptionRaised"]["callStartTime"] == begun["activityTime"]
    assert {entry["severity"] for entry in written} == {"DEBUG"}
    assert written[0]["labels"]["workflows.googleapis.com/execution_id"] == begun["executionId"]
