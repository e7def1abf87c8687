"""Wherever the process dies, executions go on: what was acknowledged is there, nothing is done twice."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.services import secretmanager
from localcloud.services.workflowexecutions.runner import runner_of
from tests.localcloud.services.workflowexecutions.desk import HOST, NAME, Desk, open_cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PARENT = NAME.partition("/workflows/")[0]
SECRETS = "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets"
CHILD = "main: {params: [a], steps: [{nap: {call: sys.sleep, args: {seconds: 7}}}, {out: {return: '${a * 2}'}}]}"
# Everything that waits: a parallel loop that writes, a connector that polls, a sleep, a retry, a callback.
EVERYTHING = f"""
main:
  steps:
    - begin: {{assign: [{{done: []}}, {{id: "${{uuid.generate()}}"}}, {{tries: 0}}]}}
    - hook: {{call: events.create_callback_endpoint, args: {{http_callback_method: POST}}, result: cb}}
    - beside:
        parallel:
          shared: [done]
          for:
            value: v
            in: [1, 2, 3]
            steps:
              - rest: {{call: sys.sleep, args: {{seconds: "${{v * 2}}"}}}}
              - make:
                  call: http.post
                  args:
                    url: '${{"{SECRETS}?secretId=made-" + string(v)}}'
                    auth: {{type: OAuth2}}
                    body: {{replication: {{automatic: {{}}}}}}
              - note: {{assign: [{{done: "${{list.concat(done, v)}}"}}]}}
    - child:
        call: googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run
        args: {{workflow_id: child, argument: 21}}
        result: answer
    - again:
        try:
          steps:
            - count: {{assign: [{{tries: "${{tries + 1}}"}}]}}
            - judge: {{switch: [{{condition: "${{tries < 3}}", raise: again}}]}}
        retry: {{max_retries: 5, backoff: {{initial_delay: 3, max_delay: 3, multiplier: 1}}}}
    - wait: {{call: events.await_callback, args: {{callback: "${{cb}}", timeout: 1000}}, result: told}}
    - end_: {{return: ["${{done}}", "${{answer}}", "${{tries}}", "${{told.http_request.body.n}}", '${{sys.get_env("GOOGLE_CLOUD_WORKFLOW_ID")}}']}}
"""


def caller(cloud: Cloud) -> Callable[..., Any]:
    """Give what makes calls as the owner."""

    def ask(method: str, address: str, body: Any = None) -> Any:
        token = cloud.tokens.access_token(OWNER)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{address}", headers=headers, body=content)

    return ask


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the project is kept."""
    return tmp_path / "state"


@pytest.fixture
def cloud(state: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project with a child workflow."""
    made = open_cloud(state, clock, secretmanager.SERVICE)
    robot = f"{made.number}-compute@developer.gserviceaccount.com"
    made.grant(f"serviceAccount:{robot}", "roles/owner")
    url = f"workflows.googleapis.com/v1/{PARENT}/workflows?workflowId=child"
    assert caller(made)("POST", url, {"sourceContents": CHILD}).status == 200
    yield made
    made.close()


def killed(state: Path, to: Path, now: float) -> Desk:
    """Give the project as it is after ``kill -9`` at this moment and a new start.

    The files as they lie on the disk are all that such an end leaves.
    """
    shutil.copytree(state, to)
    again = open_cloud(to, VirtualClock(now), secretmanager.SERVICE)
    return Desk(again, caller(again))


def finish(desk: Desk, name: str) -> dict[str, Any]:
    """Let an execution end, and answer its callback when it waits for it."""
    for _ in range(60):
        found = desk.get(name)
        if found["state"] != "ACTIVE":
            return found
        for callback in desk.get(name + "/callbacks").get("callbacks", []):
            if callback["waiters"] != "1" or callback.get("availablePayloads"):
                continue
            assert desk.ask("POST", HOST + callback["name"], {"n": 7}).status == 200
        desk.pass_time(1)
    raise AssertionError("the execution does not end")


def test_any_moment_is_a_good_one_to_die(
    tmp_path: Path, state: Path, cloud: Cloud, clock: VirtualClock
) -> None:
    """In parallel branches, polling, sleeping, retrying, waiting: the end is the same, once."""
    desk = Desk(cloud, caller(cloud))
    desk.deploy(EVERYTHING)
    name = desk.start()["name"]
    copies = []
    for second in range(26):
        copies.append((state, tmp_path / f"at-{second}", clock.now()))
        shutil.copytree(state, copies[-1][1])
        desk.pass_time(1)
    whole = finish(desk, name)
    assert whole["state"] == "SUCCEEDED", whole
    steps = len(desk.get(name + "/stepEntries")["stepEntries"])

    for _, copy, now in copies:
        again = open_cloud(copy, VirtualClock(now), secretmanager.SERVICE)
        later = Desk(again, caller(again))
        found = finish(later, name)
        assert (found["state"], found.get("result")) == ("SUCCEEDED", whole["result"]), copy
        assert len(later.get(name + "/stepEntries")["stepEntries"]) == steps
        assert json.loads(found["result"]) == [[1, 2, 3], 42, 3, 7, "w"]
        made = again.store.of("secretmanager").under("projects/")
        assert len([key for key, _ in made if key.count("/") == 3]) == 3
        children = later.get(f"{PARENT}/workflows/child/executions")["executions"]
        assert [item["state"] for item in children] == ["SUCCEEDED"]
        assert runner_of(again).running == {}
        again.close()


def test_an_acknowledged_callback_is_not_lost(
    tmp_path: Path, state: Path, cloud: Cloud, clock: VirtualClock
) -> None:
    """Also when the process dies before the execution has taken it up, and it is taken once."""
    desk = Desk(cloud, caller(cloud))
    desk.deploy(
        "- a: {call: events.create_callback_endpoint, result: cb}\n"
        "- b: {call: events.await_callback, args: {callback: '${cb}', timeout: 50}, result: one}\n"
        "- c:\n    try: {call: events.await_callback, args: {callback: '${cb}', timeout: 50}, result: two}\n"
        "    except: {as: e, steps: [{d: {return: '${one.http_request.body}'}}]}\n"
        "- f: {return: twice}"
    )
    name = desk.start()["name"]
    desk.pass_time(1)
    url = HOST + desk.get(name + "/callbacks")["callbacks"][0]["name"]
    assert desk.ask("POST", url, {"n": 1}).status == 200
    copies = [killed(state, tmp_path / "before", clock.now())]
    desk.pass_time(1)
    copies.append(killed(state, tmp_path / "after", clock.now()))
    for after in copies:
        after.pass_time(200)
        assert after.get(name)["result"] == '{"n":1}'
        after.cloud.close()


def test_an_acknowledged_cancellation_holds(
    tmp_path: Path, state: Path, cloud: Cloud, clock: VirtualClock
) -> None:
    """What was asked to stop does not go on after a restart."""
    desk = Desk(cloud, caller(cloud))
    desk.deploy("- nap: {call: sys.sleep, args: {seconds: 100}}")
    name = desk.start()["name"]
    desk.pass_time(1)
    key = cloud.by_id(name)
    cloud.store.of("workflowexecutions").update(key, lambda record: {**record, "_cancelling": True})
    after = killed(state, tmp_path / "copy", clock.now())
    assert after.get(name)["state"] == "CANCELLED"
    assert after.get(name)["error"]["context"] == "Execution cancelled."
    after.cloud.close()


@pytest.mark.parametrize("wanted", ["post", "get"])
def test_a_request_on_its_way(
    tmp_path: Path, state: Path, cloud: Cloud, clock: VirtualClock, wanted: str
) -> None:
    """Reading is done again; a write that may have had its effect is a broken connection."""
    desk = Desk(cloud, caller(cloud))
    desk.deploy(
        f"- a: {{call: http.{wanted}, args: {{url: '{SECRETS}', auth: {{type: OAuth2}}}}}}\n"
        "- b: {return: done}"
    )
    name = desk.start()["name"]
    copies: list[Desk] = []
    # The request is issued and not answered while the transport is at work.
    engine = runner_of(cloud).engine
    send = engine.transport

    def dying(request: Any) -> Any:
        copies.append(killed(state, tmp_path / "copy", clock.now()))
        return send(request)

    engine.transport = dying
    desk.pass_time(1)
    (after,) = copies
    after.pass_time(1)
    found = after.get(name)
    if wanted == "get":
        assert (found["state"], found["result"]) == ("SUCCEEDED", '"done"')
    else:
        assert json.loads(found["error"]["payload"])["tags"] == ["ConnectionError"]
    after.cloud.close()
