"""A local cloud with a storage, secrets and accounts, for the image's programs to run against."""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.services import iam, iamcredentials, secretmanager, storage

IMAGE = Path(__file__).parents[2] / "images" / "tracking-server"
SERVER = "mlflow-demo@berth-local.iam.gserviceaccount.com"
"""The account a tracking server runs as."""

Ask = Callable[..., Any]


@pytest.fixture(scope="session", autouse=True)
def _image_on_the_path() -> Iterator[None]:
    """The image's programs find each other in one folder."""
    sys.path.insert(0, str(IMAGE))
    yield
    sys.path.remove(str(IMAGE))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A project whose doors are open."""
    services = [iam.SERVICE, iamcredentials.SERVICE, secretmanager.SERVICE, storage.SERVICE]
    made = Cloud(tmp_path_factory.mktemp("cloud"), machines="paper", only=services)
    made.enable(
        *("iam.googleapis.com", "iamcredentials.googleapis.com"),
        *("secretmanager.googleapis.com", "storage.googleapis.com"),
    )
    with made.serve():
        yield made
    made.close()


@pytest.fixture(scope="module")
def ask(cloud: Cloud) -> Ask:
    """Calls an API of the cloud as the project's owner; what is refused fails the test."""

    def make(method: str, url: str, body: object = None) -> Any:
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {cloud.tokens.access_token(OWNER)}",
        }
        data = b"" if body is None else json.dumps(body).encode()
        answer = cloud.request(method, f"https://{url}", headers=headers, body=data)
        assert answer.status < 300, answer.body
        return answer.json()

    return make


@pytest.fixture(scope="module")
def account(ask: Ask) -> str:
    """The server's account, without any right."""
    url = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
    return str(ask("POST", url, {"accountId": SERVER.partition("@")[0]})["email"])


@pytest.fixture(scope="module")
def kept(ask: Ask) -> Callable[[str, bytes], str]:
    """Puts a value into Secret Manager; returns the full name of its version."""

    def keep(name: str, value: bytes) -> str:
        url = "secretmanager.googleapis.com/v1/projects/berth-local/secrets"
        ask("POST", f"{url}?secretId={name}", {"replication": {"automatic": {}}})
        payload = {"payload": {"data": base64.b64encode(value).decode()}}
        return str(ask("POST", f"{url}/{name}:addVersion", payload)["name"])

    return keep
