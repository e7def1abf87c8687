"""Google's own client, which speaks only gRPC, runs and sees executions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.workflows import executions_v1
from google.cloud.workflows.executions_v1.services.executions.transports import (
    ExecutionsGrpcTransport,
)

from localcloud.clock import RealClock
from localcloud.cloud import Cloud
from localcloud.services.workflowexecutions import SERVICE as EXECUTIONS
from localcloud.services.workflows import SERVICE as WORKFLOWS
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARENT = "projects/berth-local/locations/europe-west1"
SOURCE = """
main:
  params: [a]
  steps:
    - nap: {call: sys.sleep, args: {seconds: "${a.seconds}"}}
    - out: {return: "${a.seconds}"}
"""
State = executions_v1.Execution.State


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A project with one workflow, its doors open."""
    made = Cloud(tmp_path / "state", clock=RealClock(), only=[WORKFLOWS, EXECUTIONS])
    made.enable("workflows.googleapis.com", "workflowexecutions.googleapis.com")
    with made.serve():
        url = f"https://workflows.googleapis.com/v1/{PARENT}/workflows?workflowId=w"
        headers = {"authorization": f"Bearer {made.tokens.access_token('owner@example.com')}"}
        body = json.dumps({"sourceContents": SOURCE}).encode()
        operation = made.request("POST", url, headers=headers, body=body).json()["name"]
        poll = f"https://workflows.googleapis.com/v1/{operation}"
        eventually(lambda: made.request("GET", poll, headers=headers).json().get("done"))
        yield made
    made.close()


@pytest.fixture
def client(cloud: Cloud) -> Iterator[executions_v1.ExecutionsClient]:
    """Google's client on the loopback port behind the door."""
    assert cloud.serving is not None
    with grpc.insecure_channel(f"127.0.0.1:{cloud.serving.grpc_port}") as channel:
        yield executions_v1.ExecutionsClient(transport=ExecutionsGrpcTransport(channel=channel))


def signed(cloud: Cloud, email: str = "owner@example.com") -> dict[str, Any]:
    """Give the metadata of a caller."""
    return {"metadata": [("authorization", f"Bearer {cloud.tokens.access_token(email)}")]}


def begin(cloud: Cloud, client: executions_v1.ExecutionsClient, seconds: float) -> Any:
    """Start an execution that sleeps."""
    wanted = executions_v1.Execution(
        argument=json.dumps({"seconds": seconds}),
        labels={"berth-deployment": "demo"},
        call_log_level=executions_v1.Execution.CallLogLevel.LOG_ERRORS_ONLY,
    )
    return client.create_execution(
        parent=f"{PARENT}/workflows/w", execution=wanted, **signed(cloud)
    )


def test_an_execution_from_beginning_to_end(
    cloud: Cloud, client: executions_v1.ExecutionsClient
) -> None:
    """Create, get and list agree; the fields keep their types."""
    execution = begin(cloud, client, 0.05)
    assert execution.state == State.ACTIVE

    def ended() -> Any:
        found = client.get_execution(name=name, **signed(cloud))
        return found if found.state != State.ACTIVE else None

    name = execution.name
    execution = eventually(ended)
    assert (execution.state, execution.result) == (State.SUCCEEDED, "0.05")
    assert dict(execution.labels) == {"berth-deployment": "demo"}
    assert execution.duration.total_seconds() >= 0.05
    request = executions_v1.ListExecutionsRequest(
        parent=f"{PARENT}/workflows/w", view="FULL", filter='labels.berth-deployment="demo"'
    )
    (listed,) = client.list_executions(request=request, **signed(cloud))
    assert listed.result == "0.05"


def test_cancelling(cloud: Cloud, client: executions_v1.ExecutionsClient) -> None:
    """A sleeping execution ends at once."""
    execution = begin(cloud, client, 60)
    ended = client.cancel_execution(name=execution.name, **signed(cloud))
    assert ended.state == State.CANCELLED
    with pytest.raises(exceptions.FailedPrecondition):
        client.cancel_execution(name=execution.name, **signed(cloud))


def test_refusals_have_their_codes(cloud: Cloud, client: executions_v1.ExecutionsClient) -> None:
    """What REST answers with a status is the matching exception here."""
    parent = f"{PARENT}/workflows/w"
    bad = executions_v1.Execution(argument="{")
    with pytest.raises(exceptions.InvalidArgument):
        client.create_execution(parent=parent, execution=bad, **signed(cloud))
    with pytest.raises(exceptions.NotFound):
        client.create_execution(
            parent=parent + "x", execution=executions_v1.Execution(), **signed(cloud)
        )
    with pytest.raises(exceptions.PermissionDenied):
        client.create_execution(
            parent=parent, execution=executions_v1.Execution(), **signed(cloud, "no@example.com")
        )
    with pytest.raises(exceptions.Unauthenticated):
        client.create_execution(parent=parent, execution=executions_v1.Execution())
