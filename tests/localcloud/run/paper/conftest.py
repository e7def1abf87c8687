"""A cloud on paper: the Cloud Run API answers, and nothing runs behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from localcloud.services import logging as cloudlogging
from localcloud.services import run, secretmanager
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A cloud on paper with the echo image in its registry."""
    apis = [module.SERVICE for module in (cloudlogging, run, secretmanager)]
    made = Cloud(tmp_path / "state", clock=clock, only=apis)
    made.enable("run.googleapis.com", "secretmanager.googleapis.com")
    add_account(made, ACCOUNT)
    build(made, tmp_path)
    yield made
    unused = made.unused_faults()
    made.close()
    assert unused == {}


@pytest.fixture
def owner(cloud: Cloud) -> Caller:
    """The project's owner."""
    return Caller(cloud)
