"""The image of oauth2-proxy holds the stand-in: built upon, and run as a sidecar's better half."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.machines.builds import base_images
from localcloud.machines.containers.container_ports import free_port
from localcloud.machines.stand_in_images import OAUTH2_PROXY
from tests.localcloud.oauth2_proxy.test_options import GOOD
from tests.localcloud.run.echo import ACCOUNT, IMAGE, Caller, add_account, build, open_cloud

if TYPE_CHECKING:
    from pathlib import Path

NAME = "quay.io/oauth2-proxy/oauth2-proxy"


def test_a_build_can_start_from_it(tmp_path: Path) -> None:
    """As ``FROM quay.io/…``, which is how it gets into one's own registry."""
    made = base_images.base(f"{NAME}:v7.15.4", tmp_path / "bases", tmp_path / "root")

    assert made is not None
    assert made.config()["Entrypoint"] == ["/bin/oauth2-proxy"]
    assert (tmp_path / "root/bin/oauth2-proxy").stat().st_mode & 0o111


@pytest.mark.parametrize(
    "name", [f"{NAME}:v6.1.1", "quay.io/pusher/oauth2_proxy:v7.15.4", f"docker.io/{NAME}", "x"]
)
def test_other_images_are_not_it(name: str) -> None:
    """An old one, or another's, is not stood in for."""
    assert OAUTH2_PROXY.fullmatch(name) is None


@pytest.mark.slow
@pytest.mark.xdist_group("oauth2-proxy")
def test_it_stands_before_a_sidecar(tmp_path: Path) -> None:
    """On Cloud Run the proxy has the port, and the program hears from it alone."""
    cloud = open_cloud(tmp_path / "state")
    add_account(cloud, ACCOUNT)
    build(cloud, tmp_path)
    inner = str(free_port())
    settings = {
        "http_address": "0.0.0.0:4180",
        "skip_auth_routes": "GET=^/open$",
        "upstreams": f"http://127.0.0.1:{inner}",
        **{key: str(GOOD[key]) for key in ("client_id", "client_secret", "cookie_secret")},
        "email_domains": "example.com",
    }
    containers = [
        {
            "name": "proxy",
            "image": f"{NAME}:v7.15.4",
            "ports": [{"containerPort": 4180}],
            "dependsOn": ["echo"],
            "env": [
                {"name": f"OAUTH2_PROXY_{name.upper()}", "value": value}
                for name, value in settings.items()
            ],
            "startupProbe": {"httpGet": {"path": "/ping", "port": 4180}, "periodSeconds": 2},
        },
        {
            "name": "echo",
            "image": IMAGE,
            "env": [{"name": "LISTEN", "value": inner}],
            "startupProbe": {"tcpSocket": {"port": int(inner)}, "periodSeconds": 2},
        },
    ]
    template = {"serviceAccount": ACCOUNT, "containers": containers}
    url = "https://hello-123456789012.europe-west1.run.app"
    with cloud.serve():
        body = {"invokerIamDisabled": True, "template": template}
        operation = Caller(cloud).deploy("hello", body)
        assert "response" in operation, operation
        outside, inside = cloud.request("GET", url), cloud.request("GET", f"{url}/open")
        cloud.close()

    assert (outside.status, "Sign in with Google" in outside.text) == (403, True)
    assert inside.json()["headers"]["host"] == url.removeprefix("https://")
