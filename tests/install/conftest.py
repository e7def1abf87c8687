"""Projects to install Berth into, in the test's own process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from install.__main__ import install, parser
from install.report import Report
from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.install.in_process import OWNER, session
from tests.install.installed import Installed, installed

__all__ = ["installed"]

Install = Callable[..., Report]


def closed(cloud: Cloud) -> None:
    """Close a cloud; a planned fault that never happened fails the test."""
    unused = cloud.unused_faults()
    cloud.close()
    assert unused == {}


def installer(cloud: Cloud) -> Install:
    """Return what runs `install apply` on a project, with more arguments if wanted."""

    def run(*arguments: str, email: str = OWNER) -> Report:
        given = ["apply", "--project", cloud.project, "--region", cloud.region, *arguments]
        options = parser().parse_args(given)
        # On the cloud's clock: how long the test takes is nothing to report on.
        report = Report(plan=options.plan, verbose=options.verbose, clock=cloud.clock.now)
        install(session(cloud, email), options, report, at_once=False)
        return report

    return run


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """Return a new project."""
    made = Cloud(tmp_path / "state", clock=VirtualClock())
    yield made
    closed(made)


@pytest.fixture
def apply(cloud: Cloud) -> Install:
    """Install into the new project."""
    return installer(cloud)


@pytest.fixture
def ready(installed: Installed, tmp_path: Path) -> Iterator[Cloud]:
    """Return a project into which Berth has been installed."""
    made = installed.wake(tmp_path / "ready")
    yield made
    closed(made)


@pytest.fixture
def again(ready: Cloud) -> Install:
    """Install once more into the project that has it already."""
    return installer(ready)
