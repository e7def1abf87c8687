"""An installed Berth for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.installed import Installed, installed
from tests.workflows.berth import Berth

__all__ = ["installed"]


@pytest.fixture
def berth(installed: Installed, tmp_path: Path) -> Iterator[Berth]:
    """Return an installed Berth; a planned fault that never happened fails the test."""
    cloud = installed.wake(tmp_path / "state")
    yield Berth(cloud)
    unused = cloud.unused_faults()
    cloud.close()
    assert unused == {}
