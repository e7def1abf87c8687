"""A load balancer in front of a service that really runs: requests stream, sockets stay open."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from localcloud.cloud import OWNER, Cloud
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build, service
from tests.localcloud.services.compute.load_balancers import COMPUTE, HOST, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("balanced")
MIB = 2**20
URL = f"https://{HOST}"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A service for load balancers only, and one in front of it."""
    folder: Path = tmp_path_factory.mktemp("balanced")
    cloud = Cloud(folder / "state")
    cloud.enable("run.googleapis.com", "artifactregistry.googleapis.com")
    add_account(cloud, ACCOUNT)
    build(cloud, folder)

    def ask(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Any:
        headers = {"authorization": f"Bearer {cloud.tokens.access_token(who or OWNER)}"}
        data = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{url}", headers=headers, body=data)

    with cloud.serve():
        closed = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
        body = {**service(), "invokerIamDisabled": True, "ingress": closed}
        Caller(cloud).deploy("mlflow", body)
        made = Desk(cloud, ask, None)
        made.everything()
        yield made
        cloud.close()


@pytest.fixture
def client(desk: Desk) -> Iterator[httpx.Client]:
    """What goes through the door as any program here would."""
    env = desk.cloud.environment("friend@example.com")
    trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    with httpx.Client(proxy=env["HTTPS_PROXY"], verify=trust, trust_env=False, timeout=30) as made:
        yield made


def test_a_container_answers_on_the_custom_domain(desk: Desk, client: httpx.Client) -> None:
    """It sees the name that was asked, and who asked."""
    answer = client.post(f"{URL}/a%20b?x=1", content=b"12345")

    seen = answer.json()
    address = desk.get("/global/addresses/ip")["address"]
    assert (seen["method"], seen["path"], seen["size"]) == ("POST", "/a%20b?x=1", 5)
    assert seen["headers"]["host"] == HOST
    assert seen["headers"]["x-forwarded-for"] == f"127.0.0.1, {address}"
    assert answer.headers["via"] == "1.1 google"


def test_answers_stream(client: httpx.Client) -> None:
    """40 MiB in pieces arrive whole."""
    size = 0
    with client.stream("GET", f"{URL}/stream") as answer:
        for chunk in answer.iter_raw():
            size += len(chunk)

    assert size == 40 * MIB


def test_uploads_stream(client: httpx.Client) -> None:
    """A body of unknown length is handed on as it comes."""
    seen = client.post(URL, content=(b"x" * MIB for _ in range(8))).json()

    assert seen["size"] == 8 * MIB


def test_the_services_limits_hold(client: httpx.Client) -> None:
    """What Cloud Run refuses stays refused behind a load balancer."""
    assert client.post(URL, content=b"x" * (33 * MIB)).status_code == 413


def test_sockets_go_through(desk: Desk) -> None:
    """WebSockets too."""
    env = desk.cloud.environment("friend@example.com")
    trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    with connect(f"wss://{HOST}/", ssl=trust, proxy=env["HTTPS_PROXY"]) as socket:
        socket.send("hello")

        assert socket.recv(timeout=30) == "hello"


def test_a_refused_socket_gets_the_status(desk: Desk) -> None:
    """The policy counts for sockets as for requests."""
    desk.policy("203.0.113.0/24")
    attach = "/global/backendServices/be/setSecurityPolicy"
    desk.post(attach, {"securityPolicy": "global/securityPolicies/armor"})
    env = desk.cloud.environment("friend@example.com")
    trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    try:
        with (
            pytest.raises(Exception, match="403"),
            connect(f"wss://{HOST}/", ssl=trust, proxy=env["HTTPS_PROXY"]),
        ):
            pass
    finally:
        desk.post(attach, {})


def test_a_rule_that_is_gone_answers_nothing(desk: Desk, client: httpx.Client) -> None:
    """Open connections end with it."""
    assert client.get(f"{URL}/health").status_code == 200

    desk.done(desk.ask("DELETE", f"{COMPUTE}/global/forwardingRules/fr"))

    with pytest.raises(httpx.HTTPError):
        client.get(f"{URL}/health")
