"""The api with workflows behind it that only wait.

Stands in for the workflow: a test says what becomes of a deployment by writing status.json.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from localcloud.services import cloudbuild, pubsub, storage, workflowexecutions, workflows
from tests.functions.berth import Berth
from tests.functions.conftest import make_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.service import Service

WAITS = """
main:
  params: [input]
  steps:
    - wait:
        call: sys.sleep
        args:
          seconds: 86400
"""
SERVICES = [
    cloudbuild.SERVICE,
    pubsub.SERVICE,
    storage.SERVICE,
    workflowexecutions.SERVICE,
    workflows.SERVICE,
]


@contextmanager
def waiting(folder: Path, *more: Service) -> Iterator[Berth]:
    """Serve the api on a cloud of its own, with a subscription to the topic.

    Args:
        folder: Where everything is kept.
        more: Services besides those that every request needs.
    """
    cloud = Cloud(folder / "state", machines="paper", only=[*SERVICES, *more])
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        _prepare(made)
        made.start("api")
        yield made
        made.stop()
    cloud.close()


def _prepare(berth: Berth) -> None:
    place = f"projects/{berth.cloud.project}/locations/europe-west1"
    for name in ("provision", "teardown"):
        url = f"https://workflows.googleapis.com/v1/{place}/workflows?workflowId=berth-{name}"
        operation = json.loads(berth.google("POST", url, {"sourceContents": WAITS}).body)
        while not operation.get("done"):
            poll = f"https://workflows.googleapis.com/v1/{operation['name']}"
            operation = json.loads(berth.google("GET", poll).body)
        assert "error" not in operation, operation
    topic = make_platform(project=berth.cloud.project).topic
    berth.google("PUT", f"https://pubsub.googleapis.com/v1/{topic}", {})
    subscription = f"projects/{berth.cloud.project}/subscriptions/all"
    ordered = {"topic": topic, "enableMessageOrdering": True}
    berth.google("PUT", f"https://pubsub.googleapis.com/v1/{subscription}", ordered)


def ask(berth: Berth, name: str, *, who: str = "ana@example.com", **more: Any) -> Any:
    """Ask for a deployment."""
    body = {"name": name, "team": "risk", **more}
    return berth.api("POST", "/v1/deployments", body, who=who)


def executions(berth: Berth, name: str, workflow: str = "provision") -> list[dict[str, Any]]:
    """Return the executions that were started for a deployment, newest first."""
    parent = getattr(make_platform(project=berth.cloud.project).workflows, workflow)
    url = f"https://workflowexecutions.googleapis.com/v1/{parent}/executions?view=FULL&pageToken="
    found: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None:
        page = json.loads(berth.google("GET", url + token).body)
        found += page.get("executions", [])
        token = page.get("nextPageToken") or None
    return [one for one in found if one["labels"] == {"berth-deployment": name}]


def spec(berth: Berth, name: str) -> Any:
    """Return what the registry says is wanted."""
    return berth.get(f"deployments/{name}/spec.json")
