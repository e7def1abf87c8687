"""The owner's desk in a project on the virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.localcloud.services.compute.load_balancers import Desk

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """Makes resources and waits for them."""
    return Desk(cloud, ask, clock)
