"""Connectors meet the local cloud's own APIs, and say so where there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services import secretmanager
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.storage import SERVICE as STORAGE
from tests.localcloud.services.workflowexecutions.desk import HOST, NAME, Desk, open_cloud, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

PARENT = NAME.partition("/workflows/")[0]
RUN = "workflowexecutions.v1.projects.locations.workflows.executions.run"
NAP = "- nap: {call: sys.sleep, args: {seconds: 5000}}"


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project whose workflows may do everything."""
    made = open_cloud(tmp_path / "state", clock, STORAGE, PUBSUB, secretmanager.SERVICE)
    robot = f"{made.number}-compute@developer.gserviceaccount.com"
    made.grant(f"serviceAccount:{robot}", "roles/owner")
    yield made
    made.close()


@pytest.fixture
def desk(cloud: Cloud, ask: Callable[..., Any]) -> Desk:
    """The owner's view."""
    return Desk(cloud, ask)


def test_secrets_as_text(desk: Desk) -> None:
    """The helpers store and read a text; the project is the workflow's own."""
    prefix = "secretmanager.v1.projects.secrets"
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    assert outcome(
        desk,
        (f"{prefix}.create", {"parent": "projects/berth-local", "secretId": "s", "body": body}),
        (f"{prefix}.addVersionString", {"secret_id": "s", "data": "hé"}),
        (f"{prefix}.versions.accessString", {"secret_id": "s"}),
    ) == ("SUCCEEDED", "hé")


@pytest.mark.parametrize("content", ["plain text", {"a": [1]}])
def test_objects_up_and_down(desk: Desk, content: Any) -> None:
    """An object is uploaded and downloaded under a name that its author has encoded."""
    name = "folder%2Fa%20b"
    upload = {"bucket": "bkt", "uploadType": "media", "name": name, "body": content}
    assert outcome(
        desk,
        ("storage.v1.buckets.insert", {"project": "berth-local", "body": {"name": "bkt"}}),
        ("storage.v1.objects.insert", upload),
        ("storage.v1.objects.get", {"bucket": "bkt", "object": name, "alt": "media"}),
    ) == ("SUCCEEDED", content)


def test_a_text_is_stored_as_it_is(desk: Desk) -> None:
    """Without the quotes that JSON would put around it."""
    upload = {"bucket": "bkt", "uploadType": "media", "name": "n", "body": "text"}
    _, found = outcome(
        desk,
        ("storage.v1.buckets.insert", {"project": "berth-local", "body": {"name": "bkt"}}),
        ("storage.v1.objects.insert", upload),
    )
    assert (found["size"], found["contentType"]) == ("4", "text/plain; charset=utf-8")


def test_messages(desk: Desk) -> None:
    """Data of messages is Base64, as the API has it."""
    topic = "projects/berth-local/topics/orders"
    state, found = outcome(
        desk,
        ("pubsub.v1.projects.topics.create", {"name": topic, "body": {}}),
        (
            "pubsub.v1.projects.topics.publish",
            {"topic": topic, "body": {"messages": [{"data": "aGk="}]}},
        ),
    )
    assert (state, len(found["messageIds"])) == ("SUCCEEDED", 1)


@pytest.mark.parametrize(
    ("name", "arguments", "tag", "words"),
    [
        (
            "compute.v1.instances.list",
            {"project": "berth-local", "zone": "z"},
            "ConnectionFailedError",
            "no such host: compute.googleapis.com",
        ),
        (
            "storage.v1.objects.insert",
            {"bucket": "b", "uploadType": "resumable", "name": "n"},
            "ValueError",
            "uploadType must be 'media'",
        ),
        (
            "storage.v1.objects.get",
            {"bucket": "none", "object": "o"},
            "HttpError",
            "error code 404",
        ),
        (
            "workflowexecutions.v1.projects.locations.workflows.executions.run",
            {"workflow_id": "none"},
            "HttpError",
            "error code 404",
        ),
        (
            "workflows.v1.projects.locations.workflows.create",
            {"parent": PARENT, "workflowId": "w", "body": {"sourceContents": NAP}},
            "OperationError",
            "already exists",
        ),
    ],
)
def test_failures(desk: Desk, name: str, arguments: dict[str, Any], tag: str, words: str) -> None:
    """Each kind of failure has its tag and the words of whoever refused."""
    state, error = outcome(desk, (name, arguments))
    assert (state, error["tags"][0]) == ("FAILED", tag)
    assert words in error["message"]


def test_a_method_that_is_not_here(desk: Desk) -> None:
    """A method of the document without a handler is 501, and the answer names it."""
    state, error = outcome(desk, ("storage.v1.anywhereCaches.list", {"bucket": "b"}))
    assert (state, error["tags"], error["code"]) == ("FAILED", ["HttpError"], 501)
    assert "storage.anywhereCaches.list" in error["body"]["error"]["message"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("appengine.v1.apps.get", {"appsId": "x"}, "no connector for 'appengine'"),
        ("storage.v9.buckets.get", {"bucket": "b"}, "no version 'v9'"),
        ("storage.v1.pails.get", {"bucket": "b"}, "no resource 'pails'"),
        ("storage.v1.buckets.fetch", {"bucket": "b"}, "methods here are:"),
        ("storage.v1.buckets.get", {}, "argument 'bucket'"),
        ("storage.v1.buckets.get", {"bucket": "b", "colour": 1}, "no argument 'colour'"),
        ("storage.v1.buckets.get", {"bucket": "b", "body": {}}, "no argument 'body'"),
    ],
)
def test_what_cannot_be_deployed(
    desk: Desk, name: str, arguments: dict[str, Any], words: str
) -> None:
    """Connectors and their arguments are known when a workflow is deployed."""
    source = json.dumps([{"a": {"call": f"googleapis.{name}", "args": arguments}}])
    url = f"workflows.googleapis.com/v1/{PARENT}/workflows?workflowId=w"
    answer = desk.ask("POST", url, {"sourceContents": source})
    assert answer.status == 400
    assert words in answer.json()["error"]["message"]


def test_what_a_workflow_starts_never_waits_in_the_queue(desk: Desk) -> None:
    """The parent holds a place: its child is refused, tried again, and in the end an error."""
    child = f"workflows.googleapis.com/v1/{PARENT}/workflows?workflowId=child"
    desk.ask("POST", child, {"sourceContents": "- a: {return: 1}"})
    desk.cloud.quotas["workflows:executions.concurrent"] = 1
    state, error = outcome(desk, (RUN, {"workflow_id": "child"}))
    assert (state, error["code"]) == ("FAILED", 429)
    refused = [call for call in desk.cloud.calls if call.status == 429]
    assert len(refused) == 6


def test_stopping_another_execution(desk: Desk) -> None:
    """Cancelling through the connector gives the cancelled execution and waits for nothing."""
    child = f"workflows.googleapis.com/v1/{PARENT}/workflows?workflowId=child"
    desk.ask("POST", child, {"sourceContents": NAP})
    desk.pass_time(10)
    name = desk.ask("POST", f"{HOST}{PARENT}/workflows/child/executions", {}).json()["name"]
    cancel = "workflowexecutions.v1.projects.locations.workflows.executions.cancel"
    state, found = outcome(desk, (cancel, {"name": name}))
    assert (state, found["state"]) == ("SUCCEEDED", "CANCELLED")
