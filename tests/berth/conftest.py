"""A local cloud on a virtual clock with its doors open, and MLflow's real client in this process."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from google.auth.compute_engine import _metadata
from mlflow.tracking.request_auth import registry

from localcloud.clock import VirtualClock
from tests.berth.mini_tracking import MiniTracking
from tests.berth.world import ANA, PROVIDER, TRAINER, VirtualProvider, World, found, open_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BEGIN = float(int(time.time()))
_NOBODY = "127.0.0.1:9"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project to copy; its keys take longer to make than a test."""
    folder = tmp_path_factory.mktemp("project")
    found(folder, VirtualClock(_BEGIN))
    return folder


@pytest.fixture
def world(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A machine of Google's whose account is the trainer's; the server has no door yet."""
    clock = VirtualClock(_BEGIN)
    shutil.copytree(project / "state", tmp_path / "state")
    cloud = open_cloud(tmp_path, clock)
    provider = VirtualProvider(clock=clock.now)
    providers, before = registry._request_auth_provider_registry._registry, dict(os.environ)

    def become(email: str) -> None:
        os.environ.update(cloud.environment(email or TRAINER))
        if not email:
            os.environ.update(GCE_METADATA_IP=_NOBODY, HTTP_PROXY="", http_proxy="")
        # Google's library reads these variables once, when it is imported
        host = os.environ["GCE_METADATA_HOST"] if email else _NOBODY
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", host)
        monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", not email)

    with cloud.serve():
        os.environ.update(
            MLFLOW_TRACKING_AUTH=PROVIDER,
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            CLOUDSDK_CONFIG=str(tmp_path / "gcloud"),
            PATH="",  # Google's library would start gcloud, which takes a second, for the project
        )
        providers.append(provider)
        become(TRAINER)
        try:
            yield World(cloud, clock, MiniTracking(), become)
        finally:
            providers.remove(provider)
            os.environ.clear()
            os.environ.update(before)
    cloud.close()


@pytest.fixture
def laptop(world: World, tmp_path: Path) -> World:
    """No machine of Google's; Ana is logged in with gcloud."""
    file = tmp_path / "gcloud" / "application_default_credentials.json"
    file.parent.mkdir()
    login = {
        "type": "authorized_user",
        "client_id": "gcloud",
        "client_secret": "public",
        "refresh_token": world.cloud.tokens.refresh_token(ANA),
    }
    file.write_text(json.dumps(login))
    world.become("")
    return world
