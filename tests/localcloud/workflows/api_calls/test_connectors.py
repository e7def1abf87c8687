"""Connectors make the requests of the discovery documents, retry them, and wait for operations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

SQL = "https://sqladmin.googleapis.com/v1/projects/p"
OPERATION = {"name": "op", "status": "RUNNING"}


def call(name: str, /, **arguments: Any) -> str:
    """Write a workflow of one connector call."""
    step = {"call": f"googleapis.{name}", "args": arguments, "result": "r"}
    return json.dumps([{"a": step}, {"b": {"return": "${r}"}}])


@pytest.mark.parametrize(
    ("name", "arguments", "request_line"),
    [
        (
            "run.v1.namespaces.services.get",
            {"name": "namespaces/p/services/s", "location": "europe-west1"},
            (
                "GET https://europe-west1-run.googleapis.com/apis/serving.knative.dev/v1/"
                "namespaces/p/services/s"
            ),
        ),
        (
            "storage.v1.objects.get",
            {"bucket": "b", "object": "a%2Fb", "alt": "media"},
            "GET https://storage.googleapis.com/storage/v1/b/b/o/a%2Fb",
        ),
        (
            "storage.v1.objects.insert",
            {"bucket": "b", "name": "o", "uploadType": "media", "body": {"x": 1}},
            "POST https://storage.googleapis.com/upload/storage/v1/b/b/o",
        ),
        (
            "cloudresourcemanager.v3.projects.setIamPolicy",
            {"resource": "projects/p", "body": {}},
            "POST https://cloudresourcemanager.googleapis.com/v3/projects/p:setIamPolicy",
        ),
        (
            "secretmanager.v1.projects.secrets.create",
            {"parent": "projects/p", "secretId": "s", "body": {}},
            "POST https://secretmanager.googleapis.com/v1/projects/p/secrets",
        ),
        (
            "sqladmin.v1beta4.instances.list",
            {"project": "p"},
            "GET https://sqladmin.googleapis.com/sql/v1beta4/projects/p/instances",
        ),
    ],
)
def test_request(bench: Bench, name: str, arguments: dict[str, Any], request_line: str) -> None:
    """A call becomes the request the document describes, with the workflow's token."""
    bench.answers[request_line] = [(200, {"fine": True})]
    assert bench.result(call(name, **arguments)) == {"fine": True}
    assert bench.requests[0].headers["Authorization"] == "Bearer access-token"


@pytest.mark.parametrize(
    ("name", "arguments", "begin", "poll", "done"),
    [
        (
            "sqladmin.v1.databases.insert",
            {"project": "p", "instance": "i", "body": {}},
            f"POST {SQL}/instances/i/databases",
            f"GET {SQL}/operations/op",
            {"name": "op", "status": "DONE"},
        ),
        (
            "cloudbuild.v1.projects.builds.create",
            {"projectId": "p", "body": {}},
            "POST https://cloudbuild.googleapis.com/v1/projects/p/builds",
            "GET https://cloudbuild.googleapis.com/v1/op",
            {"name": "op", "done": True, "metadata": {}},
        ),
        (
            "compute.v1.instances.start",
            {"project": "p", "zone": "z", "instance": "i"},
            "POST https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/i/start",
            "GET https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/op",
            {"name": "op", "status": "DONE"},
        ),
        (
            "run.v2.projects.locations.jobs.run",
            {"name": "projects/p/locations/l/jobs/j"},
            "POST https://run.googleapis.com/v2/projects/p/locations/l/jobs/j:run",
            "GET https://run.googleapis.com/v2/op",
            {"name": "op", "done": True, "response": {}},
        ),
        (
            "cloudresourcemanager.v3.projects.create",
            {"body": {}},
            "POST https://cloudresourcemanager.googleapis.com/v3/projects",
            "GET https://cloudresourcemanager.googleapis.com/v3/op",
            {"name": "op", "done": True, "response": {}},
        ),
    ],
)
def test_operation(
    bench: Bench, name: str, arguments: dict[str, Any], begin: str, poll: str, done: dict[str, Any]
) -> None:
    """A call waits for its operation where its API keeps it, and gives it back."""
    bench.answers[begin] = [(200, OPERATION)]
    bench.answers[poll] = [(200, OPERATION), (503, {}), (200, done)]
    execution = bench.run(call(name, **arguments))
    assert execution.error is None, execution.error
    assert execution.result == done
    assert execution.sleeps == [1, 1.25, 1]


def test_an_operation_is_polled_where_it_began(bench: Bench) -> None:
    """A regional API keeps its operations in the region."""
    parent, host = (
        "projects/p/locations/europe-west1",
        "https://europe-west1-aiplatform.googleapis.com",
    )
    bench.answers[f"POST {host}/v1/{parent}/datasets"] = [(200, {"name": f"{parent}/operations/1"})]
    done = {"name": f"{parent}/operations/1", "done": True}
    bench.answers[f"GET {host}/v1/{parent}/operations/1"] = [(200, done)]
    name = "aiplatform.v1.projects.locations.datasets.create"
    assert bench.result(call(name, parent=parent, region="europe-west1", body={})) == done


def test_what_is_not_waited_for(bench: Bench) -> None:
    """A service of Cloud Run v1 is given back as it is, ready or not."""
    service = {"metadata": {"name": "s"}, "status": {"conditions": []}}
    host = "https://europe-west1-run.googleapis.com/apis/serving.knative.dev/v1"
    bench.answers[f"POST {host}/namespaces/p/services"] = [(200, service)]
    name = "run.v1.namespaces.services.create"
    wanted = call(name, parent="namespaces/p", location="europe-west1", body={})
    assert bench.result(wanted) == service
    assert len(bench.requests) == 1


def test_a_map_for_parameters_with_a_common_prefix(bench: Bench) -> None:
    """A map stands for the dotted parameters below its name (tutorial of callbacks and events)."""
    url = "https://firestore.googleapis.com/v1/projects/p/databases/d/documents/c/x"
    bench.answers[f"PATCH {url}"] = [(200, {})]
    name = "firestore.v1.projects.databases.documents.patch"
    document = url.partition("/v1/")[2]
    bench.result(call(name, name=document, updateMask={"fieldPaths": ["a", "b"]}, body={}))
    query = bench.requests[0].url.partition("?")[2]
    assert query == "updateMask.fieldPaths=a&updateMask.fieldPaths=b"


@pytest.mark.parametrize(("mask", "tag"), [({"nothing": 1}, "ValueError"), ("a", "TypeError")])
def test_a_map_that_stands_for_nothing(bench: Bench, mask: Any, tag: str) -> None:
    """Fields that the method does not have are refused when the call is made."""
    name = "firestore.v1.projects.databases.documents.patch"
    wanted = call(name, name="projects/p/databases/d/documents/c/x", updateMask=mask, body={})
    assert bench.error(wanted)["tags"] == [tag]
    assert bench.requests == []


def test_a_required_parameter_under_query(bench: Bench) -> None:
    """``query`` may hold what the method requires (workflows-demos: batch/primegen)."""
    bench.answers["POST https://storage.googleapis.com/storage/v1/b"] = [(200, {"name": "b"})]
    wanted = call("storage.v1.buckets.insert", query={"project": "p"}, body={"name": "b"})
    assert bench.result(wanted) == {"name": "b"}
    assert bench.requests[0].url.endswith("/b?project=p")


@pytest.mark.parametrize(
    ("name", "arguments", "host"),
    [
        (
            "aiplatform.v1.projects.locations.customJobs.get",
            {"name": "projects/p/locations/l/customJobs/1", "region": "us-central1"},
            "us-central1-aiplatform.googleapis.com",
        ),
        (
            "documentai.v1.projects.locations.processors.get",
            {"name": "projects/p/locations/eu/processors/1", "location": "eu"},
            "eu-documentai.googleapis.com",
        ),
        (
            "integrations.v1.projects.locations.integrations.list",
            {"parent": "projects/p/locations/l", "location": "us-west1"},
            "us-west1-integrations.googleapis.com",
        ),
    ],
)
def test_the_argument_that_names_the_region(
    bench: Bench, name: str, arguments: dict[str, Any], host: str
) -> None:
    """Each regional API has its own name for the argument, and nothing of it is sent."""
    rest = arguments.get("name") or f"{arguments['parent']}/integrations"
    bench.answers[f"GET https://{host}/v1/{rest}"] = [(200, {})]
    bench.result(call(name, **arguments))
    assert "?" not in bench.requests[0].url


def test_names_that_their_author_has_encoded(bench: Bench) -> None:
    """Storage takes them as they are, in the path and behind the question mark; a stray % is encoded."""
    bench.answers["POST https://storage.googleapis.com/upload/storage/v1/b/b/o"] = [(200, {})]
    name = "storage.v1.objects.insert"
    bench.result(call(name, bucket="b", uploadType="media", name="a%2Fb 5%.txt", body="text"))
    (request,) = bench.requests
    assert request.url.partition("?")[2].split("&") == ["uploadType=media", "name=a%2Fb%205%25.txt"]
    assert (request.body, request.headers["Content-Type"]) == (
        b"text",
        "text/plain; charset=utf-8",
    )


def insert(**params: Any) -> str:
    """Write the insertion of an instance."""
    more = {"connector_params": params} if params else {}
    return call("sqladmin.v1.instances.insert", project="p", body={"name": "i"}, **more)


def test_a_map_of_query_parameters(bench: Bench) -> None:
    """Further parameters may stand in a map, as Google's Firestore sample has them."""
    documents = "projects/p/databases/(default)/documents"
    bench.answers[f"POST https://firestore.googleapis.com/v1/{documents}/c"] = [(200, {})]
    name = "firestore.v1.projects.databases.documents.createDocument"
    bench.result(call(name, parent=documents, collectionId="c", query={"documentId": "d"}, body={}))
    assert bench.requests[0].url.endswith("/c?documentId=d")


def test_a_failed_operation(bench: Bench) -> None:
    """The error carries the operation and what it says."""
    failed = {
        "name": "op",
        "status": "DONE",
        "error": {"errors": [{"code": "QUOTA", "message": "too many"}]},
    }
    bench.answers[f"POST {SQL}/instances"] = [(200, failed)]
    error = bench.error(insert())
    assert error["tags"] == ["OperationError"]
    assert error["message"] == "operation op failed: too many"
    assert (error["operation"], error["error"]) == (failed, failed["error"])


@pytest.mark.parametrize("answer", [{"status": "RUNNING"}, [], None, "text"])
def test_what_is_no_operation(bench: Bench, answer: Any) -> None:
    """An answer without a name cannot be waited for."""
    bench.answers[f"POST {SQL}/instances"] = [(200, answer)]
    assert bench.error(insert())["tags"] == ["ResponseTypeError"]


def test_the_whole_call_has_a_deadline(bench: Bench) -> None:
    """The time-out counts from the first request, and the last wait is cut short."""
    bench.answers[f"POST {SQL}/instances"] = [(200, OPERATION)]
    bench.answers[f"GET {SQL}/operations/op"] = [(200, OPERATION)]
    begun = bench.clock.now()
    policy = {"initial_delay": 10, "multiplier": 3, "max_delay": 20}
    execution = bench.run(insert(timeout=45, polling_policy=policy))
    assert execution.sleeps == [10, 20, 15]
    assert execution.error is not None
    assert execution.error.value["tags"] == ["TimeoutError"]
    assert bench.clock.now() - begun == 45


def test_not_waiting(bench: Bench) -> None:
    """With skip_polling the operation comes back as it is."""
    bench.answers[f"POST {SQL}/instances"] = [(200, OPERATION)]
    assert bench.result(insert(skip_polling=True)) == OPERATION


@pytest.mark.parametrize(
    ("params", "tag"),
    [
        ({"timeout": -1}, "ValueError"),
        ({"timeout": 31536001}, "ValueError"),
        ({"timeout": "1h"}, "TypeError"),
        ({"skip_poling": True}, "ValueError"),
        ({"polling_policy": {"delay": 1}}, "ValueError"),
        ({"polling_policy": {"multiplier": 0}}, "ValueError"),
        ({"skip_polling": "yes"}, "TypeError"),
    ],
)
def test_bad_parameters(bench: Bench, params: dict[str, Any], tag: str) -> None:
    """Nothing is sent with parameters that make no sense."""
    assert bench.error(insert(**params))["tags"] == [tag]
    assert bench.requests == []


@pytest.mark.parametrize(
    ("reply", "requests"),
    [((502, {}), 1), ((503, {}), 6), ("reset", 1), ("refused", 6), ((409, {}), 1), ((500, {}), 1)],
)
def test_writes_are_retried_with_care(bench: Bench, reply: Any, requests: int) -> None:
    """What may have had its effect is not sent again."""
    bench.answers[f"POST {SQL}/instances"] = [reply]
    bench.error(insert())
    assert len(bench.requests) == requests


EXECUTIONS = "https://workflowexecutions.googleapis.com/v1/projects/p/locations/r/workflows/w"
HELPER = "workflowexecutions.v1.projects.locations.workflows.executions.run"


def test_running_a_workflow(bench: Bench) -> None:
    """Argument and result are values; the call waits for the execution."""
    name = EXECUTIONS.partition("/v1/")[2] + "/executions/e"
    bench.answers[f"POST {EXECUTIONS}/executions"] = [(200, {"name": name, "state": "ACTIVE"})]
    bench.answers[f"GET {EXECUTIONS}/executions/e"] = [
        (200, {"name": name, "state": "ACTIVE"}),
        (200, {"name": name, "state": "SUCCEEDED", "result": '{"n": 1}'}),
    ]
    source = call(HELPER, workflow_id="w", location="r", project_id="p", argument={"a": 1})
    assert bench.result(source) == {"n": 1}
    assert json.loads(bench.requests[0].body) == {"argument": '{"a":1}'}


def test_a_workflow_that_fails(bench: Bench) -> None:
    """The caller sees why."""
    failed = {"name": "e", "state": "FAILED", "error": {"payload": '{"message": "why"}'}}
    bench.answers[f"POST {EXECUTIONS}/executions"] = [(200, failed)]
    error = bench.error(call(HELPER, workflow_id="w", location="r", project_id="p"))
    assert error["tags"] == ["OperationError"]
    assert error["message"] == "Execution failed or cancelled."
    assert error["operation"] == failed


def test_running_one_for_each(bench: Bench) -> None:
    """The older function runs one execution for each argument and keeps their order."""
    done = {"name": "e", "state": "SUCCEEDED", "result": "7"}
    bench.answers[f"POST {EXECUTIONS}/executions"] = [(200, done)]
    source = json.dumps(
        [
            {
                "a": {
                    "call": "experimental.executions.map",
                    "args": {
                        "workflow_id": "w",
                        "location": "r",
                        "project_id": "p",
                        "arguments": [1, 2],
                    },
                    "result": "r",
                }
            },
            {"b": {"return": "${r}"}},
        ]
    )
    assert bench.result(source) == [7, 7]
    assert len(bench.requests) == 2


def test_secrets_as_text(bench: Bench) -> None:
    """The helpers encode and decode, also in an expression as Google's sample has it."""
    secret = "https://secretmanager.googleapis.com/v1/projects/p/secrets/s"
    bench.answers[f"POST {secret}:addVersion"] = [(200, {"name": "v"})]
    bench.answers[f"GET {secret}/versions/latest:access"] = [(200, {"payload": {"data": "w6k="}})]
    prefix = "secretmanager.v1.projects.secrets"
    bench.result(call(f"{prefix}.addVersionString", secret_id="s", project_id="p", data="é"))
    assert json.loads(bench.requests[0].body) == {"payload": {"data": "w6k="}}
    assert bench.value(f'googleapis.{prefix}.versions.accessString("s", "latest", "p")') == "é"
