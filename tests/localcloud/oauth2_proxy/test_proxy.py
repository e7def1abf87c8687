"""The stand-in as a process: people sign in, programs bring tokens, others stay outside."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest

from localcloud.clock import RealClock
from localcloud.cloud import Cloud
from localcloud.machines import stand_in_images
from localcloud.machines.containers.container_ports import free_port
from localcloud.services import iap
from tests.localcloud.oauth2_proxy.test_options import GOOD, config

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("oauth2-proxy")]
ANA = "ana@example.com"
SERVICE = "https://tracking.example.com"
PYTHON = Path(getattr(sys, "_base_executable", sys.executable)).resolve()


class Echo(http.server.BaseHTTPRequestHandler):
    """The program behind: answers with what it sees."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        size = 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while length := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
        size += len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"path": self.path, "size": size, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_OPTIONS = do_GET  # noqa: N815 - as above

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose sign-in page and keys the proxy uses."""
    made = Cloud(
        tmp_path_factory.mktemp("cloud") / "state",
        clock=RealClock(),
        only=[iap.SERVICE],
        machines="paper",
    )
    with made.serve():
        yield made
    made.close()


@pytest.fixture(scope="module")
def proxy(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The proxy's own address, with a program behind it."""
    behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=behind.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("proxy")
    stand_in_images.lay_out(folder / "root", PYTHON)
    # the tree lies at / in a container, and here where it was laid out
    script = folder / "root/bin/oauth2-proxy"
    script.write_text(script.read_text().replace('"/opt', f'"{folder}/root/opt'))
    (folder / "emails").write_text("Guest@Elsewhere.org\n")
    name = config(
        folder,
        upstreams=[f"http://127.0.0.1:{behind.server_port}/"],
        authenticated_emails_file=str(folder / "emails"),
        skip_jwt_bearer_tokens=True,
        extra_jwt_issuers=[f"https://accounts.google.com={SERVICE}"],
        skip_auth_routes=["GET=^/health$"],
        api_routes=["^/api/"],
        redirect_url=f"{SERVICE}/oauth2/callback",
        cookie_secure=False,
        set_xauthrequest=True,
        code_challenge_method="S256",
    )
    port = free_port()
    environment = {**os.environ, **cloud.environment(ANA), "PORT": str(port)}
    with subprocess.Popen(
        [str(script), name], env=environment, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert "stand-in" in child.stdout.readline()
        assert "listening" in child.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        child.terminate()
        assert child.wait(30) == 0
    behind.shutdown()
    behind.server_close()


def sign_in(cloud: Cloud, client: httpx.Client, proxy: str, email: str, rd: str = "/x") -> Any:
    """Go through the whole sign-in; returns the answer of the callback."""
    start = client.get(f"{proxy}/oauth2/start?{urlencode({'rd': rd})}")
    page = cloud.request("GET", f"{start.headers['location']}&{urlencode({'email': email})}")
    return client.get(page.headers["location"].replace(SERVICE, proxy))


def test_health_is_open(proxy: str) -> None:
    """Probes ask the proxy itself; a route may be open too."""
    assert httpx.get(f"{proxy}/ping").text == "OK"
    assert httpx.get(f"{proxy}/ready").status_code == 200
    assert httpx.get(f"{proxy}/health").json()["path"] == "/health"
    assert httpx.post(f"{proxy}/health").status_code == 403


def test_strangers_see_the_sign_in_page(proxy: str) -> None:
    """403 with a button for browsers, 401 for programs."""
    page = httpx.get(f"{proxy}/experiments")

    assert page.status_code == 403
    assert "Sign in with Google" in page.text
    assert httpx.get(f"{proxy}/x", headers={"accept": "application/json"}).status_code == 401
    assert httpx.get(f"{proxy}/api/2.0/x").status_code == 401
    assert httpx.get(f"{proxy}/oauth2/auth").status_code == 401
    assert httpx.get(f"{proxy}/oauth2/userinfo").status_code == 401


@pytest.mark.parametrize("email", [ANA, "guest@elsewhere.org"])
def test_people_sign_in(cloud: Cloud, proxy: str, email: str) -> None:
    """By domain and by the file; the program behind learns who it is, whatever the client says."""
    with httpx.Client() as client:
        answer = sign_in(cloud, client, proxy, email)
        seen = client.get(f"{proxy}/x", headers={"x-forwarded-email": "boss@example.com"})
        info = client.get(f"{proxy}/oauth2/userinfo").json()
        client.get(f"{proxy}/oauth2/sign_out")
        after = client.get(f"{proxy}/x")

    assert (answer.status_code, answer.headers["location"]) == (302, "/x")
    assert seen.json()["headers"]["x-forwarded-email"] == email
    assert seen.headers["x-auth-request-email"] == info["email"] == email
    assert after.status_code == 403


def test_people_of_other_domains_stay_outside(cloud: Cloud, proxy: str) -> None:
    """They signed in, and may not enter; no cookie says otherwise."""
    with httpx.Client() as client:
        answer = sign_in(cloud, client, proxy, "eve@elsewhere.org")
        after = client.get(f"{proxy}/x")

    assert answer.status_code == 403
    assert "Invalid session: unauthorized" in answer.text
    assert after.status_code == 403


def test_only_the_browser_that_set_out_comes_back(cloud: Cloud, proxy: str) -> None:
    """Without its cookie, with another state or an error, nobody is signed in."""
    with httpx.Client() as client:
        start = client.get(f"{proxy}/oauth2/start").headers["location"]
        page = cloud.request("GET", f"{start}&{urlencode({'email': ANA})}")
        back = page.headers["location"].replace(SERVICE, proxy)

        assert "CSRF" in httpx.get(back).text
        assert client.get(back.replace("state=", "state=x")).status_code == 403
        assert client.get(f"{proxy}/oauth2/callback?error=access_denied").status_code == 403
        assert client.get(back.replace("code=4", "code=5")).status_code == 500
        assert client.get(f"{proxy}/x").status_code == 403


@pytest.mark.parametrize("rd", ["https://evil.example.org/", "//evil.example.org", "/\\evil", "x"])
def test_nobody_is_sent_elsewhere(cloud: Cloud, proxy: str, rd: str) -> None:
    """An address that was slipped in is not followed."""
    with httpx.Client() as client:
        assert sign_in(cloud, client, proxy, ANA, rd).headers["location"] == "/"


def test_programs_bring_tokens(cloud: Cloud, proxy: str) -> None:
    """For the client or for an extra audience, if the address may enter."""

    def status(email: str, audience: str, **more: Any) -> int:
        token = cloud.tokens.id_token(email, audience, **more)
        return httpx.get(f"{proxy}/x", headers={"authorization": f"Bearer {token}"}).status_code

    client = str(GOOD["client_id"])
    assert status(ANA, SERVICE) == status(ANA, client) == 200
    assert status(ANA, "https://other.example.com") == 403
    assert status(ANA, SERVICE, lifetime=-60) == 403
    assert status("eve@elsewhere.org", SERVICE) == 403
    assert status(ANA, SERVICE, more={"email_verified": False}) == 403
    assert status(ANA, SERVICE, more={"iss": "https://evil.example.org"}) == 403
    forged = cloud.tokens.id_token(ANA, SERVICE)[:-8] + "AAAAAAAA"
    sent = {"authorization": f"Bearer {forged}"}
    assert httpx.get(f"{proxy}/x", headers=sent).status_code == 403


def test_large_bodies_go_through(cloud: Cloud, proxy: str) -> None:
    """With a length and in pieces."""
    sent = {"authorization": f"Bearer {cloud.tokens.id_token(ANA, SERVICE)}"}
    pieces = (b"x" * 2**20 for _ in range(40))

    whole = httpx.put(f"{proxy}/a", content=b"x" * (40 * 2**20), headers=sent, timeout=60)
    streamed = httpx.put(f"{proxy}/a", content=pieces, headers=sent, timeout=60)

    assert whole.json()["size"] == streamed.json()["size"] == 40 * 2**20


def test_an_upstream_that_is_gone(tmp_path: Path, cloud: Cloud) -> None:
    """502, and the proxy goes on."""
    port = free_port()
    name = config(tmp_path, upstreams=[f"http://127.0.0.1:{free_port()}/"], skip_auth_routes=["^/"])
    child = subprocess.Popen(
        [sys.executable, "-m", "localcloud.oauth2_proxy", name, f"--http-address=127.0.0.1:{port}"],
        env={**os.environ, **cloud.environment(ANA)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 30
        while True:
            try:
                found = httpx.get(f"http://127.0.0.1:{port}/x").status_code
                break
            except httpx.ConnectError:
                assert time.monotonic() < until
                time.sleep(0.05)
    finally:
        child.terminate()
        child.wait(30)

    assert found == 502


def test_a_bad_configuration_ends_it(tmp_path: Path) -> None:
    """With the reason, and exit code 1."""
    done = subprocess.run(
        [sys.executable, "-m", "localcloud.oauth2_proxy", config(tmp_path, cookie_secret="short")],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "cookie_secret must be 16, 24, or 32 bytes" in done.stderr
