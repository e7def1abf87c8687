"""Probes ask for real: gRPC health checks over HTTP/2, HTTP with headers, TCP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from localcloud.machines.containers.container_ports import free_port
from localcloud.machines.containers.loopbacks import Shared
from localcloud.machines.containers.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
KNOWN = {b"": SERVING, b"\x0a\x04good": SERVING, b"\x0a\x03bad": NOT_SERVING}


class Health(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    """A health service as programs have it."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """Answer Check, and nothing else."""
        if details.method != "/grpc.health.v1.Health/Check":
            return None

        def check(asked: bytes, context: grpc.ServicerContext) -> bytes:
            if asked not in KNOWN:
                context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            return KNOWN[asked]

        return grpc.unary_unary_rpc_method_handler(check)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a gRPC server listens."""
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Health()])
    found = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield found
    server.stop(None)


@pytest.mark.parametrize(
    ("service", "well"), [("", True), ("good", True), ("bad", False), ("unknown", False)]
)
def test_grpc_probe_asks_the_health_service(port: int, service: str, *, well: bool) -> None:
    """Only SERVING is a success; a service the server does not know is a failure."""
    probe = Probe.of({"grpc": {"port": port, "service": service}}, Shared(None), 8080)

    assert probe.succeeds() is well


def test_grpc_probe_of_a_port_nobody_has_fails() -> None:
    """Nothing that listens, nothing that is well."""
    assert Probe.of({"grpc": {"port": free_port()}}, Shared(None), 8080).succeeds() is False


def test_grpc_port_is_the_containers(port: int) -> None:
    """Without a port the probe asks the container's own, wherever that is on this machine."""
    loopback = Shared(8080)
    loopback.ports[8080] = port

    assert Probe.of({"grpc": {}}, loopback, 8080).succeeds() is True
