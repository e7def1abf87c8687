"""A project with an application on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.clock import RealClock, VirtualClock
from localcloud.cloud import Cloud
from localcloud.services import appengine, iap, storage
from localcloud.services import logging as cloudlogging
from tests.localcloud.appengine.application import (
    API,
    DEFAULT,
    HOST,
    MLFLOW,
    application,
    settled,
    version,
)
from tests.localcloud.iap.guarded import echo
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import Clock


def opened(folder: Path, clock: Clock) -> Cloud:
    """Open a cloud with App Engine, an image and the account versions run as."""
    apis = [module.SERVICE for module in (appengine, cloudlogging, iap, storage)]
    made = Cloud(folder / "state", clock=clock, only=apis)
    made.enable("appengine.googleapis.com", "appengineflex.googleapis.com", "iap.googleapis.com")
    add_account(made, ACCOUNT)
    build(made, folder)
    for role in ("artifactregistry.reader", "logging.logWriter"):
        made.grant(f"serviceAccount:{ACCOUNT}", f"roles/{role}")
    return made


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def empty(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project without an application."""
    made = opened(tmp_path, clock)
    yield made
    made.close()


@pytest.fixture
def owner(empty: Cloud) -> Caller:
    """The project's owner."""
    return Caller(empty)


@pytest.fixture
def app(empty: Cloud, owner: Caller) -> Cloud:
    """A project with an application in europe-west."""
    assert "response" in settled(owner, owner("POST", f"{API}/apps", application()))
    return empty


@pytest.fixture
def cloud(app: Cloud, owner: Caller) -> Cloud:
    """An application with the services default and mlflow, one version each."""
    settled(owner, owner("POST", f"{DEFAULT}/versions", version("d1")))
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v1")))
    for host in (HOST, f"mlflow-dot-{HOST}", f"v1-dot-mlflow-dot-{HOST}"):
        app.ingress.mount(host, echo)
    return app


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Cloud]:
    """A project with an application whose versions really run."""
    made = opened(tmp_path, RealClock())
    with made.serve():
        owner = Caller(made)
        settled(owner, owner("POST", f"{API}/apps", application()))
        yield made
        made.close()
