"""A project into which Berth has been installed: made once, copied for each test."""

import copy
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from install.__main__ import install, parser
from install.report import Report
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.in_process import OWNER, session


@dataclass(frozen=True)
class Installed:
    """An installation at rest."""

    state: Path
    moment: float
    servers: Any
    """What the paper databases remember, which is in no file."""

    def wake(self, folder: Path) -> Cloud:
        """Open a copy of it in `folder`."""
        shutil.copytree(self.state, folder)
        cloud = Cloud(folder, clock=VirtualClock(self.moment))
        cloud.machines.databases._servers = copy.deepcopy(self.servers)
        return cloud


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return a project into which Berth has been installed."""
    state = tmp_path_factory.mktemp("installed") / "state"
    cloud = Cloud(state, clock=VirtualClock())
    arguments = ["apply", "--project", cloud.project, "--region", cloud.region, "--admin", OWNER]
    install(session(cloud), parser().parse_args(arguments), Report(), at_once=False)
    servers = cloud.machines.databases._servers
    cloud.close()
    return Installed(state, cloud.clock.now(), servers)
