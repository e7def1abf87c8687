"""The ``gcloud app`` and ``gcloud iap`` commands as a person types them; slow, where gcloud is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from localcloud.cloud import Cloud
from localcloud.services import (
    appengine,
    cloudresourcemanager,
    iap,
    logging,
    serviceusage,
    storage,
)
from tests.localcloud.run.echo import ACCOUNT, IMAGE, add_account, build
from tests.localcloud.services.test_storage_pubsub_gcloud import gcloud as gcloud  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.localcloud.services.test_storage_pubsub_gcloud import Gcloud

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("appengine-gcloud"),
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed"),
]

APP_YAML = f"""
runtime: custom
env: flex
service: default
service_account: {ACCOUNT}
manual_scaling:
  instances: 1
readiness_check:
  path: /health
liveness_check:
  path: /health
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return a cloud on paper with its doors open."""
    folder = tmp_path_factory.mktemp("state")
    apis = [
        *(one.SERVICE for one in (appengine, iap, logging, serviceusage, storage)),
        *(value for value in vars(cloudresourcemanager).values() if hasattr(value, "handlers")),
    ]
    cloud = Cloud(folder / "state", machines="paper", only=apis)
    cloud.enable("appengine.googleapis.com", "appengineflex.googleapis.com", "iap.googleapis.com")
    add_account(cloud, ACCOUNT)
    cloud.grant(f"serviceAccount:{ACCOUNT}", "roles/artifactregistry.reader")
    build(cloud, folder)
    with cloud.serve():
        yield cloud
    cloud.close()


def test_an_application_from_the_command_line(gcloud: Gcloud, tmp_path: Path) -> None:
    """Created, deployed, split, stopped, closed by the firewall and by IAP."""
    gcloud("app", "create", "--region=europe-west")
    described = gcloud("app", "describe", "--format=value(locationId,servingStatus)")
    assert described.split() == ["europe-west", "SERVING"]
    (tmp_path / "app.yaml").write_text(APP_YAML)
    for name in ("v1", "v2"):
        gcloud(
            "app",
            "deploy",
            str(tmp_path / "app.yaml"),
            f"--image-url={IMAGE}:latest",
            f"--version={name}",
        )
    versions = gcloud("app", "versions", "list", "--format=value(id,traffic_split)")
    assert versions.split() == ["v1", "0.0", "v2", "1.0"]
    gcloud("app", "services", "set-traffic", "default", "--splits=v1=.5,v2=.5", "--split-by=ip")
    services = gcloud("app", "services", "list", "--format=value(id)")
    instances = gcloud("app", "instances", "list", "--format=value(version)")
    assert (services.split(), sorted(instances.split())) == (["default"], ["v1", "v2"])
    gcloud("app", "versions", "stop", "v1")
    gcloud("app", "firewall-rules", "create", "5", "--action=deny", "--source-range=10.0.0.1")
    tested = gcloud("app", "firewall-rules", "test-ip", "10.0.0.1", "--format=value(priority)")
    assert tested.split()[0] == "5"
    member = "--member=user:ana@example.com"
    role = "--role=roles/iap.httpsResourceAccessor"
    kind = "--resource-type=app-engine"
    gcloud("iap", "web", "enable", kind)
    gcloud("iap", "web", "add-iam-policy-binding", kind, member, role)
    policy = gcloud("iap", "web", "get-iam-policy", kind, "--format=value(bindings.members)")
    assert "user:ana@example.com" in policy
