"""Sizes: numbers that agree with each other and with what was measured."""

import re

import pytest

from planner import sizes
from schemas.deployment import DeploymentRequest, Size
from schemas.serving import CloudRun

MEASURED_MIB = {1: 484, 2: 725, 4: 1070}


@pytest.mark.parametrize("size", sorted(sizes.SHAPES))
def test_memory_holds_the_workers_and_all_that_goes_in_and_out(size: Size) -> None:
    """A server full of uploads, and of as many downloads, is not killed."""
    shape = sizes.SHAPES[size]
    memory = int(shape.memory.removesuffix("Gi")) * 1024
    room = 2 * shape.workers * shape.upload_room_mib
    assert MEASURED_MIB[shape.workers] + room <= memory


@pytest.mark.parametrize("size", sorted(sizes.SHAPES))
def test_there_is_one_worker_per_vcpu(size: Size) -> None:
    """More workers cost memory and gain nothing."""
    shape = sizes.SHAPES[size]
    assert shape.workers == int(shape.cpu)


@pytest.mark.parametrize("size", sorted(sizes.SHAPES))
def test_all_instances_together_leave_the_database_room(size: Size) -> None:
    """The connection limit stays under what the tier has."""
    request = DeploymentRequest(name="a", team="a", size=size)
    shape = sizes.shape(request)
    assert sizes.connection_limit(request) + sizes.RESERVED_CONNECTIONS <= shape.tier_connections


@pytest.mark.parametrize("size", sorted(sizes.SHAPES))
def test_a_tier_has_at_least_a_core_of_its_own(size: Size) -> None:
    """Shared cores take 25 minutes to make and carry no SLA."""
    shape = sizes.SHAPES[size]
    assert re.fullmatch(r"db-custom-[1-9]\d*-\d+", shape.tier)


def test_the_limit_grows_with_the_instances() -> None:
    """Each instance brings its own pools."""
    limits = [
        sizes.connection_limit(
            DeploymentRequest(
                name="a",
                team="a",
                serving=CloudRun(platform="cloud_run", max_instances=number),
            )
        )
        for number in (1, 2, 3)
    ]
    assert limits == [20, 35, 50]


def test_a_warm_floor_lifts_the_ceiling_of_the_size() -> None:
    """More warm instances than the size would allow at most is a wish for more."""
    serving = CloudRun(platform="cloud_run", min_instances=4)
    assert sizes.max_instances(DeploymentRequest(name="a", team="a", serving=serving)) == 4
