"""Startup, readiness and liveness probes: asked for real, as the template says."""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.machines.containers.loopbacks import Loopback

_LISTEN = "0A"
_LOOPBACK = frozenset(
    {"0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F"}
)
_GLANCE_SECONDS = 0.05
_OK_BELOW = 400
_SERVING = b"\x08\x01"
HERE = Path("/proc/net")
"""The tables of this machine's own network."""


@dataclass(frozen=True)
class Probe:
    """One probe of the API, with its defaults filled in."""

    port: int  # as the container knows it
    loopback: Loopback
    http: Mapping[str, Any] | None
    grpc: Mapping[str, Any] | None
    delay: float
    period: float
    timeout: float
    threshold: int

    @classmethod
    def of(cls, raw: Mapping[str, Any], loopback: Loopback, default_port: int) -> Probe:
        """Read a probe; *loopback* says where a container's port really is."""
        action = raw.get("httpGet") or raw.get("tcpSocket") or raw.get("grpc") or {}
        wanted = int(action.get("port") or default_port)
        return cls(
            port=wanted,
            loopback=loopback,
            http=raw.get("httpGet"),
            grpc=raw.get("grpc"),
            delay=float(raw.get("initialDelaySeconds", 0)),
            period=float(raw.get("periodSeconds", 10)),
            timeout=float(raw.get("timeoutSeconds", 1)),
            threshold=int(raw.get("failureThreshold", 3)),
        )

    def succeeds(self) -> bool:
        """Ask once."""
        if self.grpc is not None:
            return serves_grpc(
                self.loopback.reach(self.port), self.grpc.get("service", ""), self.timeout
            )
        return self._answers_http() if self.http is not None else self._listens()

    def _listens(self) -> bool:
        return self.loopback.listens(self.port, self.timeout)

    def _answers_http(self) -> bool:
        assert self.http is not None
        headers = {item["name"]: item.get("value", "") for item in self.http.get("httpHeaders", [])}
        headers.setdefault("User-Agent", "GoogleHC/1.0")
        port = self.loopback.reach(self.port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self.timeout)
        try:
            connection.request("GET", self.http.get("path") or "/", headers=headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return status < _OK_BELOW

    def wait(self, alive: Callable[[], bool]) -> bool:
        """Probe until it succeeds; False when the threshold is reached or nobody is alive.

        Attempts come every period, as on Google's side. One more is made at the moment the
        port opens, so that nobody waits out a period of ten seconds for a server that was
        ready after one; that attempt never counts as a failure.
        """
        if not _sleep(self.delay, alive):
            return False
        failures, opened = 0, False
        while failures < self.threshold:
            due = time.monotonic() + self.period
            if self.succeeds():
                return True
            failures += 1
            while time.monotonic() < due:
                if not alive():
                    return False
                if not opened and self._listens():
                    opened = True
                    if self.succeeds():
                        return True
                time.sleep(_GLANCE_SECONDS)
        return False


def _sleep(seconds: float, alive: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not alive():
            return False
        time.sleep(min(_GLANCE_SECONDS, max(0.0, until - time.monotonic())))
    return True


def serves_grpc(port: int, service: str, timeout: float = 1.0) -> bool:
    """Tell whether grpc.health.v1.Health/Check says SERVING, for a service or for the server.

    The two messages are so small that they are written here: a string in field 1 asks, and an
    enum in field 1 answers (github.com/grpc/grpc/blob/master/doc/health-checking.md).
    """
    import grpc  # takes a while, and few have such a probe

    name = service.encode()
    asked = b"\x0a" + bytes([len(name)]) + name if name else b""
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return bool(check(asked, timeout=timeout) == _SERVING)
        except grpc.RpcError:
            return False


def listens(port: int, timeout: float = 1.0) -> bool:
    """Tell whether somebody accepts connections on a port of this machine."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout):
            return True
    except OSError:
        return False


def listening(port: int, tables: Path) -> str:
    """Say to whom a port is open, by a network's tables: ``all``, ``loopback`` or nobody."""
    addresses = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (tables / table).read_text().splitlines()[1:]
        except OSError:
            continue  # no IPv6 here, or the process whose network it is has ended
        for line in lines:
            _, local, _, state, *_ = line.split()
            address, _, number = local.partition(":")
            if state == _LISTEN and int(number, 16) == port:
                addresses.add(address)
    if not addresses:
        return ""
    return "loopback" if addresses <= _LOOPBACK else "all"
