"""Policies as they are in effect: on Google Cloud, a while after they were set."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


class InEffect:
    """The text of each policy that counts now; with no delay the stored one."""

    def __init__(
        self,
        cloud: Cloud,
        *,
        policies: str = "iam.policies",
        history: str = "iam.history",
        delay: str = "policies",
    ) -> None:
        """Look at one kind of policies; ``delay`` is its key in ``cloud.propagation``."""
        self._cloud = cloud
        self._policies = cloud.store.of(policies)
        self._history = cloud.store.of(history)
        self._kind = delay

    def text(self, full: str) -> str | None:
        """Give the policy that counts for a resource now, or None."""
        stored = self._policies.raw(full)
        if not self._delay:
            return stored
        history = self._history.find(full)
        if history is None:
            return stored
        now = self._cloud.clock.now()
        past = [text for when, text in history["states"] if when <= now]
        return past[-1] if past else None

    def changed(self, full: str, before: str | None) -> None:
        """Note that a policy was just replaced; until the delay is over ``before`` counts."""
        if not self._delay:
            return
        now = self._cloud.clock.now()
        known = self._history.find(full)
        states = known["states"] if known is not None else [[0.0, before]]
        current = max(index for index, (when, _) in enumerate(states) if when <= now)
        states = [*states[current:], [now + self._delay, self._policies.raw(full)]]
        self._history.put(full, {"states": states})

    def at_once(self, full: str) -> None:
        """Let the stored policy, or its absence, count from now on."""
        if self._history.find(full) is not None:
            self._history.delete(full)

    @property
    def _delay(self) -> float:
        return self._cloud.propagation[self._kind]
