"""Google's own clients, over gRPC and REST, deploy and run workflows through the door."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import workflows_v1, workflows_v1beta
from google.cloud.workflows import executions_v1
from google.oauth2.credentials import Credentials
from google.protobuf import field_mask_pb2
from googleapiclient.errors import HttpError

from localcloud.cloud import OWNER, Cloud
from localcloud.services import iam
from localcloud.services.workflowexecutions import SERVICE as EXECUTIONS
from localcloud.services.workflows import SERVICE, SERVICE_V1BETA
from tests.localcloud import wire
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.domains.certificates import Authority

pytestmark = pytest.mark.xdist_group("workflows clients")
PARENT = "projects/berth-local/locations/europe-west1"
GOOD = "main: {params: [a], steps: [{b: {return: '${a}'}}]}"
STATE = executions_v1.Execution.State


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Cloud]:
    """A cloud with the Workflows APIs that clients of this process reach under Google's names."""
    state = tmp_path_factory.mktemp("workflows")
    shutil.copytree(authority.bundle.parent, state / "keys")
    made = Cloud(state, only=[SERVICE, SERVICE_V1BETA, EXECUTIONS, iam.SERVICE])
    made.enable("workflows.googleapis.com", "workflowexecutions.googleapis.com")
    with pytest.MonkeyPatch.context() as patch, made.serve():
        for name, value in made.environment(OWNER).items():
            patch.setenv(name, value)
        yield made
    made.close()


def signed(cloud: Cloud, email: str = OWNER) -> Credentials:
    """Give credentials of an identity."""
    return Credentials(cloud.tokens.access_token(email))  # type: ignore[no-untyped-call]


@pytest.fixture(params=["grpc", "rest"])
def client(doors: Cloud, request: pytest.FixtureRequest) -> Any:
    """Google's client, over each of its transports."""
    return workflows_v1.WorkflowsClient(credentials=signed(doors), transport=request.param)


@pytest.fixture
def name(client: Any) -> str:
    """The name of a workflow that no other test uses."""
    return f"{PARENT}/workflows/w-{client.transport.kind}-{time.monotonic_ns()}"


def create(client: Any, name: str, **fields: Any) -> Any:
    """Deploy a workflow and wait for it."""
    wanted = {"source_contents": GOOD, **fields}
    identifier = name.rpartition("/")[2]
    operation = client.create_workflow(parent=PARENT, workflow=wanted, workflow_id=identifier)
    return operation.result(timeout=30)


def test_the_life_of_a_workflow(client: Any, name: str) -> None:
    """Made, changed, listed with its revisions, removed: each operation ends with its result."""
    made = create(client, name, labels={"team": "red"}, user_env_vars={"X": "1"})
    mask = field_mask_pb2.FieldMask(paths=["source_contents", "labels"])
    wanted = {"name": name, "source_contents": "- a: {return: 2}", "description": "ignored"}
    changed = client.update_workflow(workflow=wanted, update_mask=mask).result(timeout=30)
    revisions = [
        item.revision_id for item in client.list_workflow_revisions(request={"name": name})
    ]
    older = client.get_workflow(request={"name": name, "revision_id": made.revision_id})
    listed = client.list_workflows(request={"parent": PARENT, "filter": f'name="{name}"'})
    client.delete_workflow(name=name).result(timeout=30)

    assert (made.name, made.state, dict(made.labels)) == (name, 1, {"team": "red"})
    assert made.create_time.year >= 2026
    assert (changed.description, dict(changed.labels)) == ("", {})
    assert revisions == [changed.revision_id, made.revision_id]
    assert (changed.revision_id[:7], older.source_contents) == ("000002-", GOOD)
    assert [item.name for item in listed] == [name]
    with pytest.raises(exceptions.NotFound):
        client.get_workflow(name=name)


def test_refusals(doors: Cloud, client: Any, name: str) -> None:
    """Each mistake is the exception that Google's client has for it."""
    create(client, name)
    operation = client.create_workflow(
        parent=PARENT, workflow={"source_contents": GOOD}, workflow_id=name.rpartition("/")[2]
    )
    with pytest.raises(exceptions.GoogleAPICallError, match="already exists") as taken:
        operation.result(timeout=30)
    assert isinstance(taken.value, exceptions.Conflict)
    with pytest.raises(exceptions.BadRequest, match="failed to build: error in step a"):
        create(client, name + "x", source_contents="- a: {return: '${x}'}")
    with pytest.raises(exceptions.BadRequest, match="workflow ID '1w'"):
        create(client, f"{PARENT}/workflows/1w")
    with pytest.raises(exceptions.BadRequest, match="update_mask"):
        client.update_workflow(workflow={"name": name}, update_mask={"paths": ["create_time"]})
    with pytest.raises(exceptions.NotFound):
        client.delete_workflow(name=f"{PARENT}/workflows/none")
    with pytest.raises(exceptions.BadRequest, match="colour"):
        client.list_workflows(request={"parent": PARENT, "filter": "colour=red"})
    stranger: Any = workflows_v1.WorkflowsClient(
        credentials=signed(doors, "stranger@example.com"), transport=client.transport.kind
    )
    with pytest.raises(exceptions.Forbidden, match=r"workflows\.workflows\.get"):
        stranger.get_workflow(name=name)


def test_operations_and_places(client: Any, name: str) -> None:
    """What all Google clients mix in: operations by name, and locations."""
    operation = client.create_workflow(
        parent=PARENT, workflow={"source_contents": GOOD}, workflow_id=name.rpartition("/")[2]
    )
    operation.result(timeout=30)
    named = {"name": operation.operation.name}
    listed = client.list_operations({"name": PARENT}).operations

    assert operation.metadata.verb == "create"
    assert client.get_operation(named).done
    assert named["name"] in [one.name for one in listed]
    assert client.get_location({"name": PARENT}).location_id == "europe-west1"
    client.delete_operation(named)
    with pytest.raises(exceptions.NotFound):
        client.get_operation(named)


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_older_version(doors: Cloud, transport: str) -> None:
    """The same workflows are seen through v1beta, with the fields it has."""
    older: Any = workflows_v1beta.WorkflowsClient(credentials=signed(doors), transport=transport)
    name = f"{PARENT}/workflows/beta-{transport}"
    made = create(older, name)
    newer: Any = workflows_v1.WorkflowsClient(credentials=signed(doors))

    assert (made.name, made.source_contents) == (name, GOOD)
    assert newer.get_workflow(name=name).revision_id == made.revision_id
    older.delete_workflow(name=name).result(timeout=30)


def test_the_discovery_client(doors: Cloud) -> None:
    """What googleapiclient builds from Google's documents reaches every method."""
    deploy = wire.client(doors, "workflows", "v1").projects().locations()
    run = wire.client(doors, "workflowexecutions", "v1").projects().locations().workflows()
    body = {"sourceContents": GOOD, "executionHistoryLevel": "EXECUTION_HISTORY_DETAILED"}
    made = deploy.workflows().create(parent=PARENT, workflowId="found", body=body).execute()
    eventually(lambda: deploy.operations().get(name=made["name"]).execute().get("done"))
    name = f"{PARENT}/workflows/found"
    execution = run.executions().create(parent=name, body={"argument": "[1]"}).execute()["name"]
    eventually(lambda: run.executions().get(name=execution).execute()["state"] == "SUCCEEDED")

    steps = run.executions().stepEntries().list(parent=execution).execute()["stepEntries"]
    assert [(step["step"], step["variableData"]["variables"]) for step in steps] == [
        ("b", {"a": [1]})
    ]
    exported = run.executions().exportData(name=execution).execute()["data"]
    assert json.loads(exported)["billedSteps"] == {"internal": 1, "external": 0}
    assert run.executions().callbacks().list(parent=execution).execute() == {}
    assert run.executions().deleteExecutionHistory(name=execution, body={}).execute() == {}
    with pytest.raises(HttpError, match="message must have data"):
        run.triggerPubsubExecution(
            workflow=name,
            body={
                "message": {"messageId": "1"},
                "subscription": "projects/p/subscriptions/s",
                "GCPCloudEventsMode": "CUSTOM_PUBSUB_projects/p/topics/t",
            },
        ).execute()


def test_executions_over_their_own_transport(doors: Cloud) -> None:
    """The client of executions has gRPC alone: started, seen, listed, refused."""
    deployer: Any = workflows_v1.WorkflowsClient(credentials=signed(doors))
    name = create(deployer, f"{PARENT}/workflows/echo").name
    client: Any = executions_v1.ExecutionsClient(credentials=signed(doors))
    wanted = executions_v1.Execution(argument=json.dumps({"n": 7}), labels={"a": "b"})
    execution = client.create_execution(parent=name, execution=wanted)
    eventually(lambda: client.get_execution(name=execution.name).state != STATE.ACTIVE)
    execution = client.get_execution(name=execution.name)

    assert (execution.state, json.loads(execution.result)) == (STATE.SUCCEEDED, {"n": 7})
    request = {"parent": name, "view": "FULL", "filter": 'state="SUCCEEDED" AND label.a="b"'}
    assert [one.result for one in client.list_executions(request=request)] == ['{"n":7}']
    with pytest.raises(exceptions.BadRequest):
        client.cancel_execution(name=execution.name)
    with pytest.raises(exceptions.BadRequest):
        client.create_execution(parent=name, execution={"argument": "{"})
    with pytest.raises(exceptions.NotFound):
        client.get_execution(name=f"{name}/executions/none")
    with pytest.raises(exceptions.BadRequest, match="resource field"):
        client.create_execution(parent="nonsense")
    with pytest.raises(exceptions.BadRequest):
        client.list_executions(request={"parent": name, "filter": "colour=red"})
