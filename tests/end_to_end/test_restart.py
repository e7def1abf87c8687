"""The local cloud stops, dies and comes back; what runs on it does the same."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=50"


def running(berth: Installation) -> list[str]:
    """Return the command lines of all processes that have to do with this local cloud."""
    state = str(berth.state).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            if state in line or state in (process / "environ").read_bytes():
                found.append(line.replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended
    return found


def nothing_runs(berth: Installation, *, within: float) -> bool:
    """Wait a moment for the last ones to end."""
    deadline = time.monotonic() + within
    while left := running(berth):
        if time.monotonic() > deadline:
            pytest.fail("\n".join(left))
        time.sleep(0.1)
    return True


def experiments(berth: Installation, door: dict[str, Any], password: str) -> set[str]:
    """Return the names of the experiments, which lie in the real database."""
    answer = berth.session().get(door["url"] + SEARCH, auth=("admin", password), timeout=120)
    assert answer.status_code == 200, answer.text
    return {entry["name"] for entry in answer.json()["experiments"]}


def make_experiment(berth: Installation, door: dict[str, Any], password: str, name: str) -> None:
    """Make something that a restart could lose."""
    answer = berth.session().post(
        door["url"] + "/api/2.0/mlflow/experiments/create",
        json={"name": name},
        auth=("admin", password),
        timeout=120,
    )
    assert answer.status_code == 200, answer.text


def status_of(berth: Installation, door: dict[str, Any], *login: str) -> int:
    """Return how a login is answered."""
    answer = berth.session().get(door["url"] + SEARCH, auth=(login[0], login[1]), timeout=120)
    return answer.status_code


def test_nothing_keeps_running_after_down(berth: Installation, door: dict[str, Any]) -> None:
    """`down` stops everything; `up` brings the deployment back, with what was in it and its users.

    The container's own disk is gone then: MLflow's users are in Cloud SQL, or they are nowhere.
    """
    password = berth.password("door")
    make_experiment(berth, door, password, "before down")
    ben = {"username": "ben", "password": "correct-horse-battery"}
    made = berth.session().post(
        door["url"] + "/api/2.0/mlflow/users/create",
        json=ben,
        auth=("admin", password),
        timeout=120,
    )
    assert made.status_code == 200, made.text

    berth.stop()
    stopped = nothing_runs(berth, within=1)
    berth.start()

    assert stopped
    assert "before down" in experiments(berth, door, password)
    assert status_of(berth, door, "ben", ben["password"]) == 200
    assert status_of(berth, door, "ben", "password1234") == 401
    assert berth.show("door")["state"] == "READY"


def test_a_killed_cloud_comes_back(berth: Installation, door: dict[str, Any]) -> None:
    """A kill -9 loses nothing that was answered, and leaves nothing running."""
    password = berth.password("door")
    make_experiment(berth, door, password, "before the crash")

    os.kill(int(berth.cloud("status", "--format", "pid")), signal.SIGKILL)
    ended = nothing_runs(berth, within=15)
    berth.start()

    assert ended
    assert {"before down", "before the crash"} <= experiments(berth, door, password)
    assert berth.show("door")["state"] == "READY"


def test_a_provisioning_goes_on_after_a_kill(berth: Installation, door: dict[str, Any]) -> None:
    """A kill -9 in the middle of the work: the same execution goes on and ends READY."""
    assert door["state"] == "READY"
    berth.post("killed")
    begun = berth.wait("killed", "PROVISIONING", "READY", "FAILED")

    os.kill(int(berth.cloud("status", "--format", "pid")), signal.SIGKILL)
    berth.start()
    ended = berth.wait("killed", "READY", "FAILED")

    assert begun["state"] == "PROVISIONING"
    assert ended["state"] == "READY", ended
    assert [one["state"] for one in berth.executions("killed")] == ["SUCCEEDED"]
    assert berth.delete("killed")["state"] == "DELETED"
