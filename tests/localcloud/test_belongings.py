"""A cloud has one of each thing, made once however many ask, and only its own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localcloud.belongings import Belongings

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


class Broker:
    """Something a cloud has one of."""

    def __init__(self, cloud: Cloud) -> None:
        """Belong to a cloud."""
        self.cloud = cloud


class Desk:
    """Something that needs another such thing."""

    def __init__(self, cloud: Cloud) -> None:
        """Ask for the other one."""
        self.broker = cloud.belongings.get(Broker)


def test_many_who_ask_at_once_get_the_same(cloud: Cloud) -> None:
    """It is made once, even when the second asks while it is being made."""
    together = threading.Barrier(8, timeout=30)
    made: list[object] = []

    def slow(_: Cloud) -> object:
        made.append(object())
        return made[-1]

    def ask() -> object:
        together.wait()
        return cloud.belongings.get(slow)

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: ask(), range(8)))

    assert {id(one) for one in got} == {id(made[0])}
    assert len(made) == 1


def test_making_one_may_ask_for_another(cloud: Cloud) -> None:
    """Things depend on each other, and each still exists once."""
    desk = cloud.belongings.get(Desk)

    assert desk.broker is cloud.belongings.get(Broker)
    assert desk.broker.cloud is cloud


def test_what_was_taken_away_is_made_anew(cloud: Cloud) -> None:
    """Who takes it closes it; taking what was never made gives nothing."""
    assert cloud.belongings.take(Broker) is None
    before = cloud.belongings.get(Broker)

    assert cloud.belongings.take(Broker) is before
    assert cloud.belongings.get(Broker) is not before


def test_each_cloud_has_its_own(cloud: Cloud) -> None:
    """Two clouds in one process share nothing."""
    other = Belongings(cloud)

    assert other.get(Broker) is not cloud.belongings.get(Broker)
