"""Connectors of Workflows make a load balancer's parts, and wait for each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services import compute
from tests.localcloud.services.workflowexecutions.desk import Desk, open_cloud, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

NEG = {"name": "neg", "networkEndpointType": "SERVERLESS", "cloudRun": {"service": "a"}}


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project whose workflows may do everything."""
    made = open_cloud(tmp_path / "state", clock, compute.SERVICE)
    made.enable("compute.googleapis.com")
    robot = f"{made.number}-compute@developer.gserviceaccount.com"
    made.grant(f"serviceAccount:{robot}", "roles/owner")
    yield made
    made.close()


@pytest.fixture
def desk(cloud: Cloud, ask: Callable[..., Any]) -> Desk:
    """The owner's view."""
    return Desk(cloud, ask)


def test_each_call_waits_for_its_operation(desk: Desk) -> None:
    """Global and regional: what comes next finds what came before."""
    project = {"project": "berth-local"}
    state, found = outcome(
        desk,
        ("compute.v1.globalAddresses.insert", {**project, "body": {"name": "ip"}}),
        (
            "compute.v1.regionNetworkEndpointGroups.insert",
            {**project, "region": "us-central1", "body": NEG},
        ),
        ("compute.v1.globalAddresses.get", {**project, "address": "ip"}),
    )

    assert (state, found.get("status")) == ("SUCCEEDED", "RESERVED"), found


def test_a_failed_operation_is_an_error(desk: Desk, cloud: Cloud) -> None:
    """What the operation says is in it."""
    cloud.fail_operation("compute.globalAddresses.insert", "INTERNAL", "out of luck")

    state, found = outcome(
        desk,
        ("compute.v1.globalAddresses.insert", {"project": "berth-local", "body": {"name": "ip"}}),
    )

    assert state == "FAILED"
    assert "out of luck" in found["message"]


def test_a_refusal_has_its_status(desk: Desk) -> None:
    """A 404 is an HttpError with code and reason."""
    arguments = {"project": "berth-local", "address": "none"}

    state, found = outcome(desk, ("compute.v1.globalAddresses.get", arguments))

    assert (state, found["code"]) == ("FAILED", 404)
