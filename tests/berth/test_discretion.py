"""The token goes to the tracking server, over TLS that proves who it is, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import certifi
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from berth.origins import origin
from tests.berth.world import URL, behind_iam

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.berth.world import World

OTHER = "https://other-123456789012.europe-west1.run.app"


@pytest.fixture
def other(world: World) -> list[str]:
    """What another host, open to all, has seen of tokens."""
    seen: list[str] = []

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        seen.append(
            environ.get("HTTP_AUTHORIZATION", "") + environ.get("HTTP_PROXY_AUTHORIZATION", "")
        )
        start("404 Not Found", [("content-type", "application/json")])
        return [b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "nothing here"}']

    world.cloud.ingress.mount(OTHER.removeprefix("https://"), answer)
    return seen


def test_another_server_gets_none(
    world: World, other: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whom MLFLOW_TRACKING_URI does not name sees no token; a warning says it, once."""
    world.stand(behind_iam)
    world.client()

    for _ in range(2):
        with pytest.raises(MlflowException, match="nothing here"):
            MlflowClient(tracking_uri=OTHER).create_run("0")

    assert other == ["", ""]
    warnings = [r.getMessage() for r in caplog.records if r.name == "berth.mlflow_auth"]
    assert len(warnings) == 1
    assert OTHER in warnings[0]
    assert URL in warnings[0]


def test_a_redirect_takes_none_along(world: World, other: list[str]) -> None:
    """A server that sends its visitor elsewhere does not send the token."""

    def elsewhere(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        asked = environ["PATH_INFO"] == "/oauth2/auth"
        start("403 No" if asked else "307 Elsewhere", [("location", f"{OTHER}/there")])
        return [b"no" if asked else b""]

    host = "moved-123456789012.europe-west1.run.app"
    world.cloud.ingress.mount(host, elsewhere)

    with pytest.raises(MlflowException, match="nothing here"):
        world.client(f"https://{host}").create_run("0")

    assert other == [""]


@pytest.mark.parametrize("location", ["https://accounts.google.com/x", "/oauth2/start?rd=/"])
def test_a_sign_in_page_is_no_answer(world: World, location: str) -> None:
    """MLflow would follow it and complain that it is no JSON."""

    def sign_in(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        asked = environ["PATH_INFO"] == "/oauth2/auth"
        start("401 No" if asked else "302 Found", [("location", location)])
        return [b""]

    host = "sign-123456789012.europe-west1.run.app"
    world.cloud.ingress.mount(host, sign_in)

    why = world.refusal(f"https://{host}")

    assert "(302): it shows its sign-in page" in why
    assert "its access mode oauth2_proxy?" in why


def test_http_gets_none(world: World) -> None:
    """A token in the clear would be anybody's."""
    world.stand(behind_iam)

    assert "is not https, so it gets no token" in world.refusal(URL.replace("https:", "http:"))


def test_a_server_that_proves_nothing_gets_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a check of the certificate anybody could be the tracking server."""
    world.stand(behind_iam)
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")

    assert "MLFLOW_TRACKING_SERVER_CERT_PATH names a certificate" in world.refusal()


def test_a_certificate_of_nobody_ends_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question is asked with the certificates that MLflow is told to trust."""
    world.stand(behind_iam)
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", certifi.where())
    monkeypatch.setenv("BERTH_ACCESS", "")

    assert "could not be asked" in world.refusal()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://Tracking.Example.com/", "https://tracking.example.com"),
        ("https://tracking.example.com:443/mlflow?a=b", "https://tracking.example.com"),
        ("https://ana:pw@tracking.example.com", "https://tracking.example.com"),
        ("https://tracking.example.com:8443", "https://tracking.example.com:8443"),
        ("https://tracking.example.com.evil.org", "https://tracking.example.com.evil.org"),
        ("https://tracking.example.com@evil.org/", "https://evil.org"),
        ("http://tracking.example.com:80", "http://tracking.example.com"),
        ("http://tracking.example.com:443", "http://tracking.example.com:443"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]"),
        ("sqlite:///mlflow.db", ""),
        ("databricks", ""),
        ("", ""),
    ],
)
def test_origins_are_told_apart(url: str, found: str) -> None:
    """The same door is written one way, and no other looks like it."""
    assert origin(url) == found
