"""Gives each container a port of its own: all containers share this machine's loopback."""

from __future__ import annotations

import secrets
import socket
import threading
from collections import deque
from functools import cache
from pathlib import Path

_LOCK = threading.Lock()
# A port is free again only after so many others, since its user binds it a moment later.
_RECENT: deque[int] = deque(maxlen=256)
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _HIGHEST = 10000, 65535
_FEW = 1000


@cache
def candidates() -> tuple[int, ...]:
    """Return the ports that the system gives nobody who asks for just any.

    One of those could be somebody's own by the time the container listens, or answer itself: a
    connection to a port where nobody listens may get that very port as its source.
    """
    try:
        low, high = (int(word) for word in _EPHEMERAL.read_text().split())
    except (OSError, ValueError):
        low, high = 32768, 60999
    every = range(_LOWEST, _HIGHEST + 1)
    outside = tuple(port for port in every if not low <= port <= high)
    # Some systems give nearly all of them to whoever asks.
    return outside if len(outside) > _FEW else tuple(every)


def free_port() -> int:
    """Return a port nobody uses and nobody was given lately.

    Raises:
        OSError: There is none.
    """
    ports = candidates()
    with _LOCK:
        # From anywhere, so that two clouds on a machine do not follow one another; each once.
        start = secrets.randbelow(len(ports))
        for port in ports[start:] + ports[:start]:
            if port not in _RECENT and _is_free(port):
                _RECENT.append(port)
                return port
    raise OSError(f"none of {len(ports)} ports from {ports[0]} on is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - nobody may have it on any address
        except OSError:
            return False
    return True
