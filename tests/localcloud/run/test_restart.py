"""A local cloud that was stopped in the middle takes up where it was."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import ACCOUNT, IMAGE, PARENT, Caller, open_cloud, service

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

HOST = "https://hello-123456789012.europe-west1.run.app"


def test_service_serves_again_from_zero(cloud: Cloud, owner: Caller, tmp_path: Path) -> None:
    """A stopped cloud leaves no process; started again, the next request starts one."""
    owner.deploy("hello", {**service(), "invokerIamDisabled": True})
    before = cloud.request("GET", HOST).json()["pid"]

    cloud.ingress.close()

    assert not Path(f"/proc/{before}").exists()
    again = open_cloud(tmp_path / "state")
    with again.serve():
        assert again.request("GET", HOST).json()["pid"] != before
        again.close()


def test_minimum_instances_come_back(cloud: Cloud, owner: Caller, tmp_path: Path) -> None:
    """A service with a minimum is warm again without a request."""
    body = {**service(), "scaling": {"minInstanceCount": 1}}
    revision = owner.deploy("hello", body)["response"]["latestReadyRevision"]
    cloud.ingress.close()

    again = open_cloud(tmp_path / "state")

    with again.serve():
        eventually(lambda: again.ingress.fleet.pool(revision).count() == 1)
        again.close()


def test_interrupted_deployment_is_finished(cloud: Cloud, tmp_path: Path) -> None:
    """A service that was being deployed gets ready; it does not reconcile for ever."""
    caller = Caller(cloud)
    cloud.latency["run.projects.locations.services.create"] = 3600
    operation = caller("POST", f"{PARENT}/services?serviceId=hello", service()).json()
    cloud.ingress.close()

    again = open_cloud(tmp_path / "state")

    with again.serve():
        caller = Caller(again)
        eventually(lambda: not caller("GET", f"{PARENT}/services/hello").json()["reconciling"])
        made = caller("GET", f"{PARENT}/services/hello").json()
        assert made["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert "error" in caller("GET", operation["name"]).json()
        again.close()


def test_interrupted_deletion_frees_the_name(cloud: Cloud, owner: Caller, tmp_path: Path) -> None:
    """A service that was being deleted is gone, and its name can be used."""
    owner.deploy("hello", service())
    cloud.latency["run.projects.locations.services.delete"] = 3600
    owner("DELETE", f"{PARENT}/services/hello")
    cloud.ingress.close()

    again = open_cloud(tmp_path / "state")

    with again.serve():
        assert Caller(again).deploy("hello", service())["response"]["generation"] == "1"
        again.close()


def test_interrupted_execution_has_failed(cloud: Cloud, owner: Caller, tmp_path: Path) -> None:
    """A task that ended with the local cloud is reported, not shown as running for ever."""
    command = [sys.executable, "-S", "/app/task.py"]
    container = {"image": IMAGE, "command": command, "args": ["wait"]}
    task = {"containers": [container], "serviceAccount": ACCOUNT, "maxRetries": 0}
    body = {"template": {"template": task}}
    owner.done(owner("POST", f"{PARENT}/jobs?jobId=migrate", body))
    cloud.latency["run.projects.locations.jobs.run"] = 3600
    name = owner("POST", f"{PARENT}/jobs/migrate:run", {}).json()["metadata"]["name"]

    again = open_cloud(tmp_path / "state")

    with again.serve():
        caller = Caller(again)
        eventually(lambda: not caller("GET", name).json()["reconciling"])
        found = caller("GET", name).json()
        assert found["failedCount"] == 1
        assert "was stopped" in found["conditions"][0]["message"]
        again.close()
