"""Tests that share a cloud stay together: the tools that run them keep their promise."""

import pytest

pytestmark = pytest.mark.xdist_group("together")
seen: list[int] = []


@pytest.mark.parametrize("number", range(12))
def test_a_group_stays_in_one_process_and_in_order(number: int) -> None:
    """A release of pytest has broken this; tests that build on each other then fall apart."""
    seen.append(number)

    assert seen == list(range(seen[0], number + 1))
