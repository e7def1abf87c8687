"""Ports of containers: nobody else's, and not of those that the system hands out."""

import secrets
import socket
from pathlib import Path

import pytest

from localcloud.machines.containers import container_ports
from localcloud.machines.containers.container_ports import candidates, free_port


def test_no_port_is_given_twice_in_a_row() -> None:
    """Whoever was given one binds it a moment later."""
    given = [free_port() for _ in range(100)]

    assert len(set(given)) == len(given)


def test_no_port_is_one_that_the_system_gives_to_anybody() -> None:
    """A client's own port, or another test's server, would answer in the container's place."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    if low <= 10000 and high >= 65000:
        pytest.skip("this system gives nearly all ports to whoever asks")

    assert not any(low <= free_port() <= high for _ in range(100))


@pytest.mark.parametrize("start", range(3))
def test_a_port_that_is_taken_is_passed_over(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On whatever address somebody listens there, and wherever the search begins."""
    with socket.create_server(("127.0.0.2", 0)) as taken, socket.create_server(("", 0)) as other:
        free = next(port for port in candidates() if port not in container_ports._RECENT)
        ports = (taken.getsockname()[1], other.getsockname()[1], free)
        monkeypatch.setattr(container_ports, "candidates", lambda: ports)
        monkeypatch.setattr(secrets, "randbelow", lambda _: start)

        assert free_port() == free


def test_none_is_left_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, not a search without an end."""
    with socket.create_server(("", 0)) as taken:
        monkeypatch.setattr(container_ports, "candidates", lambda: (taken.getsockname()[1],))

        with pytest.raises(OSError, match="none of 1 ports"):
            free_port()
