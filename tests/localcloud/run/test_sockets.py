"""WebSockets go through the door to the container, checked like any other request."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.localcloud.run.echo import Caller, service

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

HOST = "hello-123456789012.europe-west1.run.app"


def opened(cloud: Cloud, host: str = HOST) -> Any:
    """Open a socket through the door."""
    env = cloud.environment("friend@example.com")
    trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    return connect(f"wss://{host}/talk?x=1", proxy=env["HTTPS_PROXY"], ssl=trust, open_timeout=30)


def test_messages_go_both_ways_and_the_end_too(cloud: Cloud, owner: Caller) -> None:
    """Text and bytes come back as they went; the close code of one side reaches the other."""
    owner.deploy("hello", {**service(), "invokerIamDisabled": True})

    with opened(cloud) as socket:
        socket.send("hello")
        assert socket.recv(timeout=30) == "hello"
        socket.send(b"x" * 1000)
        assert socket.recv(timeout=30) == b"x" * 1000


def test_socket_ends_with_the_request_timeout(cloud: Cloud, owner: Caller) -> None:
    """A socket is a request: it lasts no longer than one."""
    owner.deploy("hello", {**service(timeout="1s"), "invokerIamDisabled": True})

    with opened(cloud) as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=30)


@pytest.mark.parametrize(("host", "status"), [(HOST, 403), (f"other-{HOST}", 404)])
def test_who_may_not_call_may_not_open_a_socket(
    cloud: Cloud, owner: Caller, host: str, status: int
) -> None:
    """The caller is checked before anything is opened."""
    owner.deploy("hello", service())

    with pytest.raises(InvalidStatus) as error:
        opened(cloud, host)
    assert error.value.response.status_code == status
