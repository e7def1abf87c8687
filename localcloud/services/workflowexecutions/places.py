"""Who may run and who waits: executions per region, first come, first served."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CONCURRENT = 10_000
BACKLOG = 100_000


class Places:
    """The places of one project's regions; use it under the store's lock.

    How many there are is Google's quota, unless ``cloud.quotas`` has others under
    ``workflows:executions.concurrent`` and ``workflows:executions.backlog``.
    """

    def __init__(self, quotas: Mapping[str, int]) -> None:
        """Start with every place free."""
        self._quotas = quotas
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[str]] = {}

    def full(self, name: str) -> bool:
        """Say whether the region of a workflow or execution has no place left."""
        most = self._quotas.get("workflows:executions.concurrent", CONCURRENT)
        return self._taken[_region(name)] >= most

    def queue_full(self, name: str) -> bool:
        """Say whether no further execution may wait in the region."""
        most = self._quotas.get("workflows:executions.backlog", BACKLOG)
        return len(self._waiting.get(_region(name), ())) >= most

    def take(self, key: str) -> None:
        """Give an execution a place."""
        self._taken[_region(key)] += 1

    def wait(self, key: str) -> None:
        """Let an execution wait for a place."""
        self._waiting.setdefault(_region(key), deque()).append(key)

    def give_up(self, key: str) -> None:
        """Take an execution out of the queue if it is in it."""
        queue = self._waiting.get(_region(key))
        if queue and key in queue:
            queue.remove(key)

    def free(self, key: str) -> None:
        """Take the place of an execution back."""
        self._taken[_region(key)] -= 1

    def next(self) -> str | None:
        """Give who gets a free place, if there is one and somebody waits."""
        for queue in self._waiting.values():
            if queue and not self.full(queue[0]):
                return queue.popleft()
        return None


def _region(name: str) -> str:
    return "/".join(name.split("/")[:4])
