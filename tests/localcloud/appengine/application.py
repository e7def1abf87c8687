"""What tests of App Engine call it with."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from localcloud.clock import VirtualClock
from tests.localcloud.run.echo import ACCOUNT, IMAGE

if TYPE_CHECKING:
    from localcloud.transport import Response
    from tests.localcloud.run.echo import Caller

API = "https://appengine.googleapis.com/v1"
APP = f"{API}/apps/berth-local"
HOST = "berth-local.ew.r.appspot.com"
MLFLOW = f"{APP}/services/mlflow"
DEFAULT = f"{APP}/services/default"


def application(**more: Any) -> dict[str, Any]:
    """Return the body of an application."""
    return {"id": "berth-local", "locationId": "europe-west", "serviceAccount": ACCOUNT, **more}


def version(name: str = "v1", **more: Any) -> dict[str, Any]:
    """Return the body of a version that runs the echo program."""
    made: dict[str, Any] = {
        "id": name,
        "env": "flexible",
        "runtime": "custom",
        "serviceAccount": ACCOUNT,
        "deployment": {"container": {"image": f"{IMAGE}:latest"}},
        "readinessCheck": {"path": "/health", "checkInterval": "1s", "timeout": "1s"},
        "livenessCheck": {"path": "/health", "initialDelay": "1s", "checkInterval": "1s"},
        "manualScaling": {"instances": 1},
    }
    return {key: value for key, value in {**made, **more}.items() if value is not None}


def said(answer: Response) -> str:
    """Return the message of a refusal."""
    return str(answer.json()["error"]["message"])


def settled(owner: Caller, answer: Response, *, within: float = 60) -> dict[str, Any]:
    """Let the operation end, by whichever clock, and return it."""
    assert answer.status == 200, answer.text
    if isinstance(owner.cloud.clock, VirtualClock):
        owner.cloud.clock.run_until_idle()
    until = time.monotonic() + within
    while True:
        found: dict[str, Any] = owner("GET", f"{API}/{answer.json()['name']}").json()
        if found["done"]:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)
