"""Addresses of the cloud's own: one of 127.0.0.0/8 for whatever Google gives an address to.

Linux gives all of them to its loopback interface without any set-up. Where that is not so, or for
machines on paper, the address is one of a block reserved for documentation, and nobody is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from localcloud.cloud import Cloud

ATTEMPTS = 8
_DOCUMENTED = "203.0.113."


def address(
    cloud: Cloud,
    key: str,
    *,
    ports: Collection[int],
    taken: Collection[str] = (),
    listening: bool | None = None,
) -> str:
    """Choose the address of something new: the first of its own on which the ports are free.

    Args:
        cloud: what it is in; another cloud on this machine chooses others.
        key: its name.
        ports: what will listen there.
        taken: addresses that others have.
        listening: whether anything will; by default on machines that are real.
    """
    digest = hashlib.sha256(f"{cloud.state.resolve()}\0{key}".encode()).digest()
    if listening is None:
        listening = cloud.machines.kind == "real"
    for attempt in range(ATTEMPTS if listening else 0):
        # 127.0.0.0/16 is left to others
        host = f"127.{1 + digest[attempt] % 254}.{digest[8 + attempt]}.{digest[16]}"
        if host not in taken and all(_free(host, port) for port in ports):
            return host
    free = (f"{_DOCUMENTED}{(digest[0] + step) % 256}" for step in range(256))
    return next((host for host in free if host not in taken), f"{_DOCUMENTED}{digest[0]}")


def is_ours(host: str) -> bool:
    """Tell whether this machine can listen on an address that was given out."""
    return host.startswith("127.")


def _free(host: str, port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        try:
            probe.bind((host, port))
        except PermissionError:
            # a port for administrators only: whoever listens there will see to that
            return True
        except OSError:
            return False
    return True
