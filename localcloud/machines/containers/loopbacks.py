"""The loopback that a container listens on: this machine's, or one of its instance's own.

A single container gets a free port of this machine as its PORT, and needs no more. Sidecars find
each other at fixed ports of 127.0.0.1, which other instances use, too: such an instance has a
network of its own, as on Cloud Run, and a pod (see ``pod``) leads in and out of it.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud.machines.containers.container_ports import free_port
from localcloud.machines.containers.probes import HERE, listening, listens
from localcloud.machines.process import Process, ProcessError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_POD = Path(__file__).with_name("pod.py")
_OWN = Path("/proc/self/ns/net")
_SQL_PROXY = 3307
_START_SECONDS = 20.0
_PROBES = ("startupProbe", "livenessProbe")
_ACTIONS = ("httpGet", "tcpSocket", "grpc")


class Shared:
    """This machine's own; the container that serves has a port nobody else uses."""

    holder: int | None = None
    """The process whose network containers join; None for this machine's."""

    def __init__(self, port: int | None) -> None:
        """Have the container's *port* be a free one; without a port nobody is to be reached."""
        self.ports = {} if port is None else {port: free_port()}
        """Ports as containers know them, and where this machine reaches them."""

    def told(self, port: int) -> int:
        """Return what a container is told to listen on for its *port*."""
        return self.ports[port]

    def reach(self, port: int) -> int:
        """Return where this machine reaches a port of a container."""
        return self.ports.get(port, port)

    def listens(self, port: int, timeout: float) -> bool:
        """Tell whether anybody listens at a port of a container."""
        return listens(self.reach(port), timeout)

    def only_itself(self, port: int) -> bool:
        """Tell whether a port is open to the containers themselves alone."""
        return listening(self.reach(port), HERE) == "loopback"

    def close(self) -> None:
        """Nothing is held."""


class Own:
    """One instance's own: containers listen on the ports their template names."""

    def __init__(self, ports: Sequence[int], outward: Sequence[int], log: Path) -> None:
        """Have *ports* of containers be reached, and *outward* ports of this machine by them."""
        self.ports = {port: free_port() for port in dict.fromkeys(ports)}
        words = [sys.executable, "-I", "-S", str(_POD)]
        for port in dict.fromkeys(outward):
            words += ["--out", str(port)]
        for inner, outer in self.ports.items():
            words += ["--in", str(outer), str(inner)]
        self._outward = list(outward)
        self._process = Process(words, env={}, log=log, ready=self._is_ready)
        try:
            self._process.start(timeout=_START_SECONDS)
        except ProcessError:
            self._process.stop(0)
            raise

    @property
    def holder(self) -> int:
        """The process whose network containers join."""
        number = self._process.pid
        if number is None:
            raise LookupError("the pod has not been started")
        return number

    @property
    def _tables(self) -> Path:
        return Path(f"/proc/{self.holder}/net")

    def told(self, port: int) -> int:
        """Return what a container is told to listen on: its own port."""
        return port

    def reach(self, port: int) -> int:
        """Return where this machine reaches a port of a container."""
        return self.ports[port]

    def listens(self, port: int, timeout: float) -> bool:
        """Tell whether anybody listens at a port of a container."""
        del timeout
        return bool(listening(port, self._tables))

    def only_itself(self, port: int) -> bool:
        """Tell whether a port is open to the containers themselves alone."""
        return listening(port, self._tables) == "loopback"

    def close(self) -> None:
        """Let go of the network; containers must have ended."""
        self._process.stop(0)

    def _is_ready(self) -> bool:
        with suppress(OSError):
            away = Path(f"/proc/{self.holder}/ns/net").readlink() != _OWN.readlink()
            return (
                away
                and all(listening(port, self._tables) for port in self._outward)
                and all(listens(port) for port in self.ports.values())
            )
        return False


Loopback = Shared | Own


def made(
    specs: Sequence[Mapping[str, Any]],
    port: int | None,
    *,
    environment: Mapping[str, str],
    log: Path,
) -> Loopback:
    """Return the loopback of an instance of these containers, of which one serves at *port*.

    *environment* says where this machine's services are that all containers use.
    """
    if len(specs) == 1:
        return Shared(port)
    inward = [*([port] if port is not None else []), *_probed(specs)]
    return Own(inward, [*_services(environment), _SQL_PROXY], log)


def _probed(specs: Sequence[Mapping[str, Any]]) -> list[int]:
    return [
        int(spec[probe][action]["port"])
        for spec in specs
        for probe in _PROBES
        for action in _ACTIONS
        if spec.get(probe, {}).get(action, {}).get("port")
    ]


def _services(environment: Mapping[str, str]) -> list[int]:
    """Return the ports of the door and of the metadata server."""
    places = [urlsplit(environment[name]).port for name in ("HTTPS_PROXY", "HTTP_PROXY")]
    return [port for port in places if port is not None]
