"""A local cloud in the test's own process, on a clock that stands still until told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A new project; a planned fault that never happened fails the test."""
    made = Cloud(tmp_path / "state", clock=clock)
    yield made
    unused = made.unused_faults()
    made.close()
    assert unused == {}
