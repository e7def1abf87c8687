"""A training gets in by each door, for longer than any token lives; whoever may not hears why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.berth.world import behind_iam, behind_iap

if TYPE_CHECKING:
    from berth_types import World


@pytest.mark.parametrize("door", [behind_iam, behind_iap])
def test_a_training_of_a_day(world, door) -> None:
    """Its account's tokens live an hour; none of a day's requests is refused."""
    world.stand(door)
    if door is behind_iap:
        from tests.berth.world import trust, TRAINER
        trust(world.cloud, f"serviceAccount:{TRAINER}")
    client = world.client()
    run = client.create_run("0").info.run_id

    for step in range(24 * 6):
        world.clock.advance(600)
        client.log_metric(run, "loss", 1 / (step + 1), step=step)

    assert len(world.server.metrics) == 144
    assert 24 <= len(world.server.tokens) <= 30
