"""A local cloud of its own, with Berth installed and all seven examples side by side in it."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from examples import preparation
from examples.example import machine
from examples.local_cloud import LocalCloud
from examples.project import Project
from tests.end_to_end.holdings import Holdings, holdings
from tests.end_to_end.installation import ANA, OWNER, PROJECT, ROOT, Installation

HERE = "127.0.0.1/32"
NAMES = tuple(
    sorted(
        file.stem
        for file in (ROOT / "examples").glob("*.json")
        if file.stem != "cloudrun-mysql"
        and (shutil.which("mariadbd") or '"mysql"' not in file.read_text())
    )
)
"""The seven; without the one on MySQL where MariaDB is not installed."""

AT_ONCE = 2
"""How many clients are started beside each other; each takes a core."""


@dataclass(frozen=True)
class SideBySide:
    """All examples in one project."""

    berth: Installation
    project: Project
    before: Holdings
    """What the project held when the team had brought its own, and nothing had been asked for."""
    requests: dict[str, dict[str, Any]]
    deployments: dict[str, dict[str, Any]]
    """As they were when READY, by the example's name."""

    def environment(self, name: str) -> dict[str, str]:
        """Return the variables of a machine on which a training of an example runs."""
        cloud = LocalCloud(str(self.berth.state))
        return machine(self.requests[name], self.deployments[name], cloud, self.project)


@pytest.fixture(scope="session")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SideBySide]:
    """All of them, READY."""
    berth = Installation(tmp_path_factory.mktemp("examples") / "state")
    berth.start()
    try:
        berth.install("--network", "default", "--verify-range", HERE)
        project = Project(PROJECT, berth.session(berth.token(OWNER, "--access")))
        asked = {name: _asked(name, project) for name in NAMES}
        for request in asked.values():
            for step in preparation.steps(request, project, ANA):
                step.run()
        before = holdings(berth)
        for request in asked.values():
            answer = berth.api("POST", "/v1/deployments", request)
            assert answer.status_code == 202, answer.text
        with ThreadPoolExecutor(len(asked)) as pool:
            ready = pool.map(lambda request: _ready(berth, request["name"]), asked.values())
            deployments = dict(zip(asked, ready, strict=True))
        yield SideBySide(berth, project, before, asked, deployments)
    finally:
        berth.stop()


def _asked(name: str, project: Project) -> dict[str, Any]:
    request = json.loads((ROOT / "examples" / f"{name}.json").read_text())
    return preparation.personal(request, project, HERE)


def _ready(berth: Installation, name: str) -> dict[str, Any]:
    """Wait for READY, and for the certificate where there is one."""
    deployment = berth.wait(name, "READY", "FAILED")
    while deployment["state"] == "READY" and deployment.get("certificate") == "PROVISIONING":
        deployment = berth.wait(name, "READY", "FAILED")
    return deployment


def both(tasks: list[Any]) -> list[Any]:
    """Return the results of some tasks, few of them at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
