"""A training behind oauth2-proxy, which is the local cloud's stand-in for it, as a process."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from berth.access import CHOSEN
from localcloud.machines.containers.container_ports import free_port
from tests.berth.mini_tracking import PARTS
from tests.berth.world import STRANGER, TRAINER, URL
from tests.localcloud.iap.guarded import HOST
from tests.localcloud.oauth2_proxy.test_options import config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.berth.world import World

pytestmark = pytest.mark.xdist_group("berth-oauth2-proxy")
MIB = 2**20
ROOT = Path(__file__).parents[2]


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def listening(app: Any) -> Iterator[int]:
    """Have a WSGI application listen on a port of loopback."""
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def handing_on(port: int) -> Callable[..., list[bytes]]:
    """Return what stands for Cloud Run's front end before a service open to all."""

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {
            name.removeprefix("HTTP_").replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or name == "CONTENT_TYPE"
        }
        body = environ["wsgi.input"].read()
        target = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}".rstrip("?")
        connection.request(environ["REQUEST_METHOD"], target, body, headers)
        answer = connection.getresponse()
        start(f"{answer.status} {answer.reason}", answer.getheaders())
        found = [answer.read()]
        connection.close()
        return found

    return app


@pytest.fixture
def proxied(world: World, tmp_path: Path) -> Iterator[World]:
    """The tracking server behind the proxy, configured as Berth does it; the trainer is a member."""
    (tmp_path / "emails").write_text(f"{TRAINER}\n")
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT)}
    with listening(world.server) as behind:
        name = config(
            tmp_path,
            upstreams=[f"http://127.0.0.1:{behind}/"],
            email_domains=None,
            authenticated_emails_file=str(tmp_path / "emails"),
            skip_jwt_bearer_tokens=True,
            extra_jwt_issuers=[f"https://accounts.google.com={URL}"],
            skip_provider_button=True,
            redirect_url=f"{URL}/oauth2/callback",
        )
        with subprocess.Popen(
            [sys.executable, "-m", "localcloud.oauth2_proxy", name],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            assert "stand-in" in child.stdout.readline()
            assert "listening" in child.stdout.readline()
            world.cloud.ingress.mount(HOST, handing_on(port))
            world.cloud.ingress.mount(PARTS.removeprefix("https://"), world.server.take_part)
            yield world
            child.terminate()
            assert child.wait(30) == 0


def test_a_training_gets_in_and_takes_a_large_artifact_along(
    proxied: World, tmp_path: Path
) -> None:
    """The proxy is recognised, takes the ID token, and the bucket gets the parts."""
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(12 * MIB))
    client = proxied.client()

    run = client.create_run("0").info.run_id
    client.log_artifact(run, str(file))
    proxied.clock.advance(3500)
    client.log_metric(run, "loss", 0.5)

    assert proxied.server.metrics == [0.5]
    assert sorted(proxied.server.parts) == [2 * MIB, 10 * MIB]
    assert proxied.server.parts_seen_tokens == ["", ""]


def test_one_who_is_no_member_hears_whom_to_ask(proxied: World) -> None:
    """A good token of an account that is not on the list."""
    proxied.become(STRANGER)

    why = proxied.refusal()

    assert f"refuses {STRANGER} (403)" in why
    assert f"Is serviceAccount:{STRANGER} among the deployment's members" in why


def test_a_token_for_another_url_is_no_token(proxied: World) -> None:
    """By another name of the same server the proxy sends to its sign-in page, and that is said."""
    other = "hello-abcdefghij-ew.a.run.app"
    proxied.cloud.ingress.mount(other, proxied.cloud.ingress._mounted[HOST])

    why = proxied.refusal(f"https://{other}")

    assert "(302): it shows its sign-in page" in why
    assert "Is MLFLOW_TRACKING_URI the URL that the deployment tells" in why


def test_a_token_of_another_kind_is_no_token(
    proxied: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an account signed itself is IAP's affair."""
    monkeypatch.setenv(CHOSEN, "iap")
    full = f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{TRAINER}"
    proxied.cloud.grant(
        f"serviceAccount:{TRAINER}", "roles/iam.serviceAccountTokenCreator", on=full
    )

    assert "its access mode iap?" in proxied.refusal()
