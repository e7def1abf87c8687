"""The credentials function and the secrets of a client: what teams bring, and what is asked for."""

from __future__ import annotations

import base64
import itertools
import json
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from localcloud.services import iap, run, secretmanager, storage
from tests.functions.berth import Berth

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION = "europe-west1"
CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
VALUES = {"client-id": "1234-abc.apps.googleusercontent.com", "client-secret": "GOCSPX-hush"}
NUMBERS = itertools.count()
ADD = "secretmanager.projects.secrets.addVersion"
READ = "secretmanager.projects.secrets.versions.access"


@contextmanager
def credentials(folder: Path) -> Iterator[Berth]:
    """Serve the credentials function, acting as its own account, beside the two secrets of a client."""
    apis = [storage.SERVICE, secretmanager.SERVICE, iap.SERVICE, run.SERVICE]
    cloud = Cloud(folder / "state", machines="paper", only=apis)
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        cloud.enable("iap.googleapis.com", "run.googleapis.com")
        for name, text in VALUES.items():
            secret(made, name, text)
        made.start("credentials")
        yield made
        made.stop()
    cloud.close()


def secrets(berth: Berth) -> str:
    """Return where the secrets of the project are."""
    return f"https://secretmanager.googleapis.com/v1/projects/{berth.cloud.project}/secrets"


def secret(berth: Berth, name: str, text: str | None = None) -> None:
    """Make a secret, empty unless it is told what to hold."""
    replication = {"userManaged": {"replicas": [{"location": REGION}]}}
    berth.google("POST", f"{secrets(berth)}?secretId={name}", {"replication": replication})
    if text is not None:
        fill(berth, name, text)


def fill(berth: Berth, name: str, text: str = "whatever") -> str:
    """Put another value into a secret, and return the number of the version."""
    payload = {"data": base64.b64encode(text.encode()).decode()}
    answer = berth.google("POST", f"{secrets(berth)}/{name}:addVersion", {"payload": payload})
    return str(json.loads(answer.body)["name"]).rsplit("/", 1)[-1]


def value(berth: Berth, name: str) -> str:
    """Return what a secret holds."""
    answer = berth.google("GET", f"{secrets(berth)}/{name}/versions/latest:access")
    return base64.b64decode(json.loads(answer.body)["payload"]["data"]).decode()


def ask(berth: Berth, name: str, credential: str) -> Any:
    """Ask for a credential as the workflow does."""
    body = {"deployment": name, "generation": 1, "credential": credential}
    return berth.helper("credentials", body)


def proxied(berth: Berth, **access: Any) -> str:
    """Wish for a deployment behind the proxy, its two secrets empty, and return its name."""
    name = f"p{next(NUMBERS)}"
    wanted = {"mode": "oauth2_proxy", "oauth_client": CLIENT, **access}
    berth.wish(name, access=wanted)
    for purpose in ("proxy-config", "proxy-members"):
        secret(berth, f"mlflow-{name}-{purpose}")
    return name


def guarded(berth: Berth, **access: Any) -> str:
    """Wish for a deployment behind IAP, its service there, and return its name."""
    name = f"i{next(NUMBERS)}"
    berth.wish(name, access={"mode": "iap", **access})
    full = f"projects/{berth.cloud.project}/locations/{REGION}/services/mlflow-{name}"
    berth.cloud.store.of("run").put(full, {"name": full})
    return name


def settings(berth: Berth, name: str) -> dict[str, Any]:
    """Return IAP's settings of a deployment's service."""
    place = f"projects/{berth.cloud.number}/iap_web/cloud_run-{REGION}/services/mlflow-{name}"
    answer = berth.google("GET", f"https://iap.googleapis.com/v1/{place}:iapSettings")
    found: dict[str, Any] = json.loads(answer.body).get("accessSettings", {})
    return found


def config(berth: Berth, name: str) -> dict[str, Any]:
    """Return the proxy's configuration."""
    return tomllib.loads(value(berth, f"mlflow-{name}-proxy-config"))
