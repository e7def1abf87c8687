"""A project into which Berth is installed, in the test's own process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from install.__main__ import install, parser
from install.apply import Report
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.in_process import OWNER, session

Install = Callable[..., Report]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A new project; a planned fault that never happened fails the test."""
    made = Cloud(tmp_path / "state", clock=VirtualClock())
    yield made
    unused = made.unused_faults()
    made.close()
    assert unused == {}


@pytest.fixture
def apply(cloud: Cloud) -> Install:
    """Run `install apply` on the project, with more arguments if wanted."""

    def run(*arguments: str, email: str = OWNER) -> Report:
        given = ["apply", "--project", cloud.project, "--region", cloud.region, *arguments]
        return install(session(cloud, email), parser().parse_args(given), at_once=False)

    return run
