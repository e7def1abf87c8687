"""The executions of one workflow, as one caller sees them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from localcloud.services import iam, logging
from localcloud.services.workflowexecutions import SERVICE as EXECUTIONS
from localcloud.services.workflows import SERVICE as WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.service import Service

HOST = "workflowexecutions.googleapis.com/v1/"
NAME = "projects/berth-local/locations/europe-west1/workflows/w"


def open_cloud(state: Path, clock: VirtualClock, *more: Service) -> Cloud:
    """Open a project with the Workflows APIs and others; its operations take no time."""
    services = [WORKFLOWS, EXECUTIONS, iam.SERVICE, logging.SERVICE, *more]
    made = Cloud(state, clock=clock, only=services)
    made.latency = {}
    made.enable(*(service.host for service in services))
    made.start()
    return made


class Desk:
    """The executions of one workflow, as one caller sees them."""

    def __init__(self, cloud: Cloud, ask: Callable[..., Any]) -> None:
        """Use the ``ask`` fixture."""
        self.cloud = cloud
        self.ask = ask

    def deploy(self, source: str, **fields: Any) -> None:
        """Deploy the workflow."""
        parent, _, name = NAME.rpartition("/")
        url = f"workflows.googleapis.com/v1/{parent}?workflowId={name}"
        assert self.ask("POST", url, {"sourceContents": source, **fields}).status == 200
        self.pass_time(0)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        assert isinstance(self.cloud.clock, VirtualClock)
        self.cloud.clock.advance(seconds)

    def start(self, argument: Any = None, **fields: Any) -> dict[str, Any]:
        """Start an execution."""
        if argument is not None:
            fields["argument"] = json.dumps(argument)
        answer = self.ask("POST", f"{HOST}{NAME}/executions", fields)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        return found

    def run(self, argument: Any = None, **fields: Any) -> dict[str, Any]:
        """Start an execution and see it some time later."""
        name = self.start(argument, **fields)["name"]
        self.pass_time(200)
        return self.get(name)

    def get(self, name: str, query: str = "") -> dict[str, Any]:
        """Read something."""
        found: dict[str, Any] = self.ask("GET", HOST + name + query).json()
        return found

    def listed(self, query: str = "") -> list[dict[str, Any]]:
        """List executions."""
        return list(self.get(f"{NAME}/executions", query).get("executions", []))


def outcome(desk: Desk, *calls: tuple[str, dict[str, Any]]) -> tuple[str, Any]:
    """Run connector calls one after the other; give how it ended, and the last answer or error."""
    steps: list[Any] = [
        {f"s{number}": {"call": f"googleapis.{name}", "args": arguments, "result": "r"}}
        for number, (name, arguments) in enumerate(calls)
    ]
    parent = NAME.partition("/workflows/")[0]
    url = f"workflows.googleapis.com/v1/{parent}/workflows?workflowId=w"
    source = json.dumps([*steps, {"out": {"return": "${r}"}}])
    assert desk.ask("POST", url, {"sourceContents": source}).status == 200
    desk.pass_time(10)
    name = desk.start()["name"]
    desk.pass_time(4000)
    found = desk.get(name)
    if found["state"] == "SUCCEEDED":
        return "SUCCEEDED", json.loads(found["result"])
    return found["state"], json.loads(found.get("error", {}).get("payload", "null"))
