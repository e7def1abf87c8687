"""The cloud dies in the middle of a provisioning and comes back: the execution goes on."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.installed import Installed
from tests.workflows.berth import Berth

pytestmark = pytest.mark.slow


def test_a_provisioning_goes_on_where_it_was(installed: Installed, tmp_path: Path) -> None:
    """Whatever was under way, the same execution ends READY, with what it made before.

    After `kill -9` there is what lies on the disk, and there are the databases.
    """
    cloud = installed.wake(tmp_path / "whole")
    cloud.start()
    berth = Berth(cloud)
    execution = berth.launch("provision", "demo", berth.want("demo"))
    copies: list[tuple[Path, float, Any]] = []
    for seconds in (15, 80, 95):
        cloud.clock.advance(seconds)  # type: ignore[attr-defined]
        assert berth.outcome("demo", execution).execution["state"] == "ACTIVE"
        state = tmp_path / str(len(copies))
        shutil.copytree(cloud.state, state)
        servers = copy.deepcopy(cloud.machines.databases._servers)
        copies.append((state, cloud.clock.now(), servers))
    cloud.close()

    for state, moment, servers in copies:
        again = Cloud(state, clock=VirtualClock(moment))
        again.machines.databases._servers = servers
        later = Berth(again)
        again.start()
        outcome = later.finish("demo", execution)
        again.close()

        assert (outcome.error, outcome.state) == (None, "READY"), moment
