"""A local cloud on a virtual clock with its doors open, and MLflow's real client in this process."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from mlflow.tracking.request_auth import registry

from localcloud.clock import VirtualClock
from tests.berth.mini_tracking import MiniTracking
from tests.berth.world import PROVIDER, TRAINER, VirtualProvider, World, open_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOST_OF_METADATA = "google.auth.compute_engine._metadata._GCE_METADATA_HOST"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A machine of Google's whose account is the trainer's; the server has no door yet."""
    clock = VirtualClock(float(int(time.time())))
    cloud = open_cloud(tmp_path, clock)
    provider = VirtualProvider(clock=clock.now)
    kept, found = registry._request_auth_provider_registry._registry, dict(os.environ)
    with cloud.serve(), patch(_HOST_OF_METADATA, "set below"):

        def become(email: str) -> None:
            given = cloud.environment(email or TRAINER)
            if not email:
                given |= dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), "127.0.0.1:9")
            os.environ.update(given)
            patch(_HOST_OF_METADATA, given["GCE_METADATA_HOST"]).start()

        os.environ.update(
            MLFLOW_TRACKING_AUTH=PROVIDER,
            MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            MLFLOW_ENABLE_ASYNC_LOGGING="false",
            GOOGLE_CLOUD_PROJECT=cloud.project,
            CLOUDSDK_CONFIG=str(tmp_path / "gcloud"),
        )
        kept.append(provider)
        become(TRAINER)
        try:
            yield World(cloud, clock, MiniTracking(), become)
        finally:
            kept.remove(provider)
            os.environ.clear()
            os.environ.update(found)
            patch.stopall()
    cloud.close()


@pytest.fixture
def logged_in(world: World, tmp_path: Path) -> World:
    """A laptop: Ana is logged in with gcloud, and no metadata server is there."""
    file = tmp_path / "gcloud" / "application_default_credentials.json"
    file.parent.mkdir()
    login = {
        "type": "authorized_user",
        "client_id": "gcloud",
        "client_secret": "public",
        "refresh_token": world.cloud.tokens.refresh_token("ana@example.com"),
    }
    file.write_text(json.dumps(login))
    world.become("")
    return world
