"""An installed Berth for each test: installed once, then copied."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from install.__main__ import install, parser
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.in_process import OWNER, session
from tests.workflows.berth import Berth


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state of a project into which Berth has been installed."""
    state = tmp_path_factory.mktemp("installed") / "state"
    cloud = Cloud(state, clock=VirtualClock())
    arguments = ["apply", "--project", cloud.project, "--region", cloud.region, "--admin", OWNER]
    install(session(cloud), parser().parse_args(arguments), at_once=False)
    cloud.close()
    return state


@pytest.fixture
def berth(installed: Path, tmp_path: Path) -> Iterator[Berth]:
    """Return an installed Berth; a planned fault that never happened fails the test."""
    shutil.copytree(installed, tmp_path / "state")
    cloud = Cloud(tmp_path / "state", clock=VirtualClock())
    yield Berth(cloud)
    unused = cloud.unused_faults()
    cloud.close()
    assert unused == {}
