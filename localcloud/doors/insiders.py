"""Who is inside the project's VPC networks: connections whose proxy credentials name one.

A network here routes nothing; what remains of it is that services for internal traffic tell its
machines from strangers. So a machine in a network comes to the door with the network's name as its
user name, and whatever comes through that connection comes from inside.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

PASSWORD = "vpc"  # noqa: S105 - guards nothing; some clients send no credentials without one
"""What stands where a password would: Python's urllib and requests leave out an empty one."""

_CREDENTIALS = re.compile(rb"\r\nproxy-authorization:[ \t]*([^\r\n]*)", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

Place = tuple[str, int]
"""The address and port that a connection comes from, as the listener behind the door sees it."""


class UnknownNetworkError(Exception):
    """The proxy credentials name no network of this project; the message says which there are."""


class Insiders:
    """Remembers which open connections come from inside which network."""

    def __init__(self, networks: Callable[[], Collection[str]]) -> None:
        """*networks* tells the names of the networks there are."""
        self._networks = networks
        self._open: dict[Place, str] = {}

    def check(self, network: str) -> None:
        """Refuse the name of a network that is not there."""
        known = sorted(self._networks())
        if network not in known:
            raise UnknownNetworkError(
                f"the project has no VPC network {network!r}; there are: "
                f"{', '.join(known) or 'none'}"
            )

    def asked(self, head: bytes) -> str | None:
        """Return the network that a CONNECT request comes from; None for the internet."""
        found = _CREDENTIALS.search(head)
        if found is None:
            return None
        network, password = _user(found[1])
        if password not in {"", PASSWORD}:
            raise UnknownNetworkError(
                "the user name is that of a VPC network, and a network has no password "
                f"(leave it empty, or say {PASSWORD!r})"
            )
        self.check(network)
        return network

    def enter(self, place: Place, network: str | None) -> None:
        """Remember that what comes from *place* comes from inside a network, if from any."""
        if network is not None:
            self._open[place] = network

    def leave(self, place: Place) -> None:
        """Forget a connection that is about to end; its port may be a stranger's next."""
        self._open.pop(place, None)

    def network_of(self, place: Place | None) -> str | None:
        """Return the network that a connection comes from; None for the internet."""
        return None if place is None else self._open.get(place)


def proxy(network: str | None, port: int) -> str:
    """Return the URL of the door for machines in a network, or outside of all."""
    user = "" if network is None else f"{network}:{PASSWORD}@"
    return f"http://{user}127.0.0.1:{port}"


def _user(credentials: bytes) -> tuple[str, str]:
    scheme, _, encoded = credentials.strip().partition(b" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    name, separator, password = text.partition(":")
    if scheme.lower() != b"basic" or not separator or _UNPRINTABLE.search(text):
        raise UnknownNetworkError("proxy credentials are Basic ones: a VPC network's name")
    return name, password
