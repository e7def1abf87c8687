"""What resources were like a while ago, for reads that are to lag behind the writes."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SEEN: ContextVar[float | None] = ContextVar("seen", default=None)
"""The moment as of which this thread reads, or None for now."""


class Past:
    """The latest changes of every resource, kept only while some method lags."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Tell the time by ``now``."""
        self._now = now
        self._lags: dict[str, float] = {}
        self._changes: defaultdict[tuple[str, str], list[tuple[float, str | None]]]
        self._changes = defaultdict(list)
        self._lock = threading.Lock()

    def lag(self, method: str, seconds: float) -> None:
        """Have a method read things as they were so long ago; 0 ends it."""
        with self._lock:
            if seconds > 0:
                self._lags[method] = seconds
            else:
                self._lags.pop(method, None)

    def clear(self) -> None:
        """Have every method read the present again."""
        with self._lock:
            self._lags.clear()
            self._changes.clear()

    @property
    def kept(self) -> bool:
        """Tell whether changes are worth noting."""
        return bool(self._lags)

    def changed(self, api: str, name: str, before: str | None) -> None:
        """Note what a resource was until now; None when it was not there."""
        now = self._now()
        with self._lock:
            oldest = now - max(self._lags.values(), default=0.0)
            known = [entry for entry in self._changes[api, name] if entry[0] > oldest]
            self._changes[api, name] = [*known, (now, before)]

    @contextmanager
    def seen_by(self, method: str) -> Iterator[None]:
        """Let what is read inside be as old as the method has it."""
        lag = self._lags.get(method)
        token = _SEEN.set(None if lag is None else self._now() - lag)
        try:
            yield
        finally:
            _SEEN.reset(token)

    def differing(self, api: str) -> dict[str, str | None]:
        """Give what this thread must see instead of the present, by name; None: not there yet."""
        seen = _SEEN.get()
        if seen is None:
            return {}
        found: dict[str, str | None] = {}
        with self._lock:
            for (owner, name), changes in self._changes.items():
                later = [before for when, before in changes if when > seen]
                if owner == api and later:
                    found[name] = later[0]
        return found
