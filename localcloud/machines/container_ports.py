"""Gives each container a port of its own: all containers share this machine's loopback."""

from __future__ import annotations

import socket
import threading
from collections import deque

_LOCK = threading.Lock()
# A port is free again only after so many others, since its user binds it a moment later.
_RECENT: deque[int] = deque(maxlen=256)


def free_port() -> int:
    """Return a port nobody uses and nobody was given lately."""
    with _LOCK:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            if port not in _RECENT:
                _RECENT.append(port)
                return port
