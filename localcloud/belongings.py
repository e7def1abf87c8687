"""What a cloud has one of each: the broker, the runner of executions, the gateway to databases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud

Kept = TypeVar("Kept")


class Belongings:
    """Makes each of them when it is first asked for, and has it until it is taken away."""

    def __init__(self, cloud: Cloud) -> None:
        """Begin with nothing."""
        self._cloud = cloud
        self._made: dict[Any, Any] = {}
        # one lock for each: making one may ask for another, on any thread
        self._making: dict[Any, threading.RLock] = {}

    def get(self, make: Callable[[Cloud], Kept]) -> Kept:
        """Give what ``make`` made of the cloud, the same one every time."""
        with self._lock(make):
            if make not in self._made:
                self._made[make] = make(self._cloud)
            found: Kept = self._made[make]
            return found

    def take(self, make: Callable[[Cloud], Kept]) -> Kept | None:
        """Take it away, so that it can be closed; None when it was never asked for."""
        with self._lock(make):
            found: Kept | None = self._made.pop(make, None)
            return found

    def _lock(self, make: object) -> threading.RLock:
        # setdefault is one step, so that no two threads get two locks
        return self._making.setdefault(make, threading.RLock())
