"""The load balancer as real clients meet it: sockets, TLS, and the door in front."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from localcloud.cloud import OWNER, Cloud
from tests.localcloud.services.compute.load_balancers import COMPUTE, HOST, ROOT, Desk, rule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.transport import Response

pytestmark = pytest.mark.xdist_group("balancer")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A served cloud with a whole load balancer, and an application that tells what it got."""
    cloud = Cloud(tmp_path_factory.mktemp("state"), machines="paper")

    def ask(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Response:
        headers = {"authorization": f"Bearer {cloud.tokens.access_token(who or OWNER)}"}
        data = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{url}", headers=headers, body=data)

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        told = {key: value for key, value in environ.items() if isinstance(value, str)}
        size = len(environ["wsgi.input"].read())
        start("200 OK", [("content-type", "application/json")])
        return [json.dumps({**told, "size": size}).encode()]

    made = Desk(cloud, ask, None)
    with cloud.serve():
        made.service()
        made.mount(app)
        made.everything()
        yield made
        cloud.close()


@pytest.fixture
def trusting(desk: Desk) -> ssl.SSLContext:
    """What a client trusts whom the environment points at the local cloud."""
    serving = desk.cloud.serving
    assert serving is not None
    return ssl.create_default_context(cafile=str(serving.bundle))


def _door(desk: Desk) -> tuple[str, int]:
    serving = desk.cloud.serving
    assert serving is not None
    return "127.0.0.1", serving.port


def _through_door(desk: Desk, trusting: ssl.SSLContext, url: str) -> httpx.Response:
    host, port = _door(desk)
    with httpx.Client(proxy=f"http://{host}:{port}", verify=trusting) as client:
        return client.get(url)


def _connect(desk: Desk, name: str, port: int, source: str = "127.0.0.1") -> socket.socket:
    """Ask the door for a way to a host, from an address of one's own."""
    made = socket.create_connection(_door(desk), timeout=30, source_address=(source, 0))
    made.sendall(f"CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += made.recv(1)
    if b" 200 " not in answer:
        made.close()
        raise ConnectionRefusedError(answer.decode())
    return made


def _get(plain: socket.socket, trusting: ssl.SSLContext, name: str = HOST) -> tuple[int, bytes]:
    """Make one request over TLS."""
    with trusting.wrap_socket(plain, server_hostname=name) as secure:
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(secure)
        answer.begin()
        return answer.status, answer.read()


def test_a_client_with_the_proxy_reaches_the_custom_domain(
    desk: Desk, trusting: ssl.SSLContext
) -> None:
    """No client needs to know more than HTTPS_PROXY and the authority."""
    answer = _through_door(desk, trusting, f"https://{HOST}/api?x=1")

    assert answer.status_code == 200
    told = answer.json()
    assert told["HTTP_HOST"] == HOST
    assert told["QUERY_STRING"] == "x=1"
    assert answer.headers["via"] == "1.1 google"


def test_the_service_sees_client_and_address(desk: Desk, trusting: ssl.SSLContext) -> None:
    """X-Forwarded-For holds who asked and where; what a client claims stands before it."""
    address = desk.get("/global/addresses/ip")["address"]
    host, port = _door(desk)
    with httpx.Client(proxy=f"http://{host}:{port}", verify=trusting) as client:
        told = client.get(f"https://{HOST}/", headers={"X-Forwarded-For": "8.8.8.8"}).json()

    assert told["HTTP_X_FORWARDED_FOR"] == f"8.8.8.8, 127.0.0.1, {address}"
    assert told["HTTP_X_FORWARDED_PROTO"] == "https"
    assert "HTTP_X_CLOUD_TRACE_CONTEXT" in told


def test_the_address_itself_answers(desk: Desk, trusting: ssl.SSLContext) -> None:
    """Who dials the address needs no proxy."""
    place = desk.cloud.balancer.way(HOST, 443)

    status, _ = _get(socket.create_connection(place, timeout=30), trusting)

    assert status == 200


def test_a_large_upload_arrives(desk: Desk, trusting: ssl.SSLContext) -> None:
    """Bodies pass through as they are."""
    host, port = _door(desk)
    with httpx.Client(proxy=f"http://{host}:{port}", verify=trusting, timeout=60) as client:
        told = client.put(f"https://{HOST}/file", content=b"x" * 5_000_000).json()

    assert told["size"] == 5_000_000


def test_a_name_that_leads_nowhere_is_refused(desk: Desk) -> None:
    """The door has no host that neither DNS nor a host rule knows."""
    with pytest.raises(ConnectionRefusedError, match="502"):
        _connect(desk, "other.example.com", 443)


def test_a_port_nobody_listens_on_is_refused(desk: Desk) -> None:
    """The name alone is not enough."""
    with pytest.raises(ConnectionRefusedError, match="502"):
        _connect(desk, HOST, 80)


def test_a_host_without_certificate_gets_no_handshake(desk: Desk, trusting: ssl.SSLContext) -> None:
    """TLS fails where the map has no entry for the name."""
    place = desk.cloud.balancer.way(HOST, 443)
    plain = socket.create_connection(place, timeout=30)

    with pytest.raises(ssl.SSLError):
        _get(plain, trusting, "other.example.com")


def test_the_service_itself_answers_404(desk: Desk, trusting: ssl.SSLContext) -> None:
    """Behind a load balancer the run.app URL is closed."""
    url = "https://mlflow-123456789012.europe-west1.run.app/"

    assert _through_door(desk, trusting, url).status_code == 404


def test_the_policy_goes_by_the_clients_own_address(desk: Desk, trusting: ssl.SSLContext) -> None:
    """An address outside the ranges is refused, whatever its headers claim."""
    desk.policy("127.0.0.9/32", "127.1.0.0/16")
    attach = "/global/backendServices/be/setSecurityPolicy"
    desk.post(attach, {"securityPolicy": f"{ROOT}/global/securityPolicies/armor"})
    try:
        known = _get(_connect(desk, HOST, 443, "127.0.0.9"), trusting)
        stranger = _get(_connect(desk, HOST, 443, "127.0.0.8"), trusting)
    finally:
        desk.post(attach, {})

    assert known[0] == 200
    assert stranger[0] == 403
    assert b"403 Forbidden" in stranger[1]


def test_plain_http_is_sent_to_https(desk: Desk) -> None:
    """A second rule on the same address redirects."""
    redirect = {"httpsRedirect": True, "stripQuery": False}
    desk.post("/global/urlMaps", {"name": "plain", "defaultUrlRedirect": redirect})
    desk.post(
        "/global/targetHttpProxies",
        {"name": "plain", "urlMap": f"{ROOT}/global/urlMaps/plain"},
    )
    desk.post(
        "/global/forwardingRules",
        {
            "name": "plain",
            "IPAddress": f"{ROOT}/global/addresses/ip",
            "portRange": "80",
            "target": f"{ROOT}/global/targetHttpProxies/plain",
            "loadBalancingScheme": "EXTERNAL_MANAGED",
        },
    )
    try:
        with _connect(desk, HOST, 80) as plain:
            plain.sendall(f"GET /a?b=c HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(plain)
            answer.begin()
        assert (answer.status, answer.headers["location"]) == (301, f"https://{HOST}/a?b=c")
    finally:
        desk.delete("/global/forwardingRules/plain")

    with pytest.raises(ConnectionRefusedError):
        _connect(desk, HOST, 80)


def test_a_name_in_a_host_rule_leads_in(desk: Desk) -> None:
    """Without any record the URL map's own names are enough for the door."""
    body = {
        "hostRules": [{"hosts": ["side.example.com"], "pathMatcher": "side"}],
        "pathMatchers": [{"name": "side", "defaultService": f"{ROOT}/global/backendServices/be"}],
    }
    desk.done(desk.ask("PATCH", f"{COMPUTE}/global/urlMaps/map", body))

    assert desk.cloud.balancer.way("side.example.com", 443) is not None
    assert desk.cloud.balancer.way("far.example.com", 443) is None


def test_what_is_logged(desk: Desk, trusting: ssl.SSLContext) -> None:
    """The log names the client and the policy's decision."""
    desk.post(
        "/global/securityPolicies",
        {"name": "all", "rules": [rule(2147483647, "deny(404)", "*")]},
    )
    attach = "/global/backendServices/be/setSecurityPolicy"
    desk.post(attach, {"securityPolicy": f"{ROOT}/global/securityPolicies/all"})
    try:
        answer = _through_door(desk, trusting, f"https://{HOST}/logged")
    finally:
        desk.post(attach, {"securityPolicy": ""})
    body = {
        "resourceNames": ["projects/berth-local"],
        "filter": 'resource.type="http_load_balancer" httpRequest.requestUrl:"/logged"',
    }
    found = desk.ask("POST", "logging.googleapis.com/v2/entries:list", body).json()["entries"]

    assert answer.status_code == 404
    assert found[0]["jsonPayload"]["statusDetails"] == "denied_by_security_policy"
    assert found[0]["jsonPayload"]["enforcedSecurityPolicy"]["name"] == "all"
    assert found[0]["httpRequest"]["remoteIp"] == "127.0.0.1"


def test_a_restart_listens_again(tmp_path: Path) -> None:
    """Rules are in the state, and so are their sockets after the next start."""
    state = tmp_path / "state"
    for _ in range(2):
        cloud = Cloud(state, machines="paper")
        token = cloud.tokens.access_token(OWNER)

        def ask(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Any:
            del who
            headers = {"authorization": f"Bearer {token}"}  # noqa: B023 - called in this round
            data = b"" if body is None else json.dumps(body).encode()
            return cloud.request(  # noqa: B023 - called in this round
                method, f"https://{url}", headers=headers, body=data
            )

        made = Desk(cloud, ask, None)
        with cloud.serve():
            if cloud.store.of("compute").count("projects/berth-local/global/forwardingRules/") == 0:
                assert cloud.balancer.way(HOST, 443) is None
                made.service()
                made.everything()
            place = cloud.balancer.way(HOST, 443)
            assert place is not None
            socket.create_connection(place, timeout=30).close()
        cloud.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(place, timeout=30)
