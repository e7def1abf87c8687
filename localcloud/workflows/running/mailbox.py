"""Callbacks on their way: calls that came before anybody waited, and those who wait."""

import threading
from collections import deque
from collections.abc import Container

from localcloud.workflows.effects import CallbackReceived

Key = tuple[int, int]


class Mailbox:
    """The callback endpoints of one execution, by URL; used from any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Key]] = {}
        self._received: dict[str, deque[CallbackReceived]] = {}

    def wait(self, url: str, key: Key) -> CallbackReceived | None:
        """Give a call that came early, or remember who waits for the next."""
        with self._lock:
            early = self._received.get(url)
            if early:
                return early.popleft()
            self._waiting.setdefault(url, deque()).append(key)
            return None

    def receive(self, url: str, call: CallbackReceived, waiting: Container[Key]) -> Key | None:
        """Give who gets a call, or keep it; who has given up waiting is no longer in ``waiting``."""
        with self._lock:
            keys = self._waiting.get(url)
            while keys:
                key = keys.popleft()
                if key in waiting:
                    return key
            self._received.setdefault(url, deque()).append(call)
            return None

    def waiters(self, url: str, waiting: Container[Key]) -> int:
        """Count who waits for calls of an endpoint."""
        with self._lock:
            return sum(key in waiting for key in self._waiting.get(url, ()))
