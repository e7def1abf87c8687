"""A function is built from its zip and its own requirements, and is a Cloud Run service."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, add_account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.cloud import Cloud

FUNCTIONS = f"https://cloudfunctions.googleapis.com/v2/{PARENT}/functions"
BUILDER = "builder@berth-local.iam.gserviceaccount.com"
REQUIREMENTS = "functions-framework==3.10.2\n"
MAIN = """
import importlib.util, json, os

def hello(request):
    seen = {"path": request.path, "env": dict(os.environ), "user": request.headers.get("X-User"),
            "pydantic": importlib.util.find_spec("pydantic") is not None}
    return json.dumps(seen)

def _private():
    pass
"""


@pytest.fixture(autouse=True)
def builder(cloud: Cloud) -> None:
    """Make the account that builds."""
    add_account(cloud, BUILDER)


def packed(files: Mapping[str, str]) -> bytes:
    """Return a zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def uploaded(owner: Caller, files: Mapping[str, str] | bytes) -> dict[str, Any]:
    """Upload a source as gcloud does; returns its storageSource."""
    made = owner("POST", f"{FUNCTIONS}:generateUploadUrl", {}).json()
    data = files if isinstance(files, bytes) else packed(files)
    answer = owner.cloud.request(
        "PUT", made["uploadUrl"], headers={"content-type": "application/zip"}, body=data
    )
    assert answer.status == 200, answer.text
    return dict(made["storageSource"])


def function(source: dict[str, Any], *, entry: str = "hello", **config: Any) -> dict[str, Any]:
    """Return the body of a function."""
    return {
        "environment": "GEN_2",
        "buildConfig": {
            "runtime": "python313",
            "entryPoint": entry,
            "serviceAccount": f"projects/berth-local/serviceAccounts/{BUILDER}",
            "source": {"storageSource": source},
        },
        "serviceConfig": {"serviceAccountEmail": ACCOUNT, **config},
    }


def deployed(owner: Caller, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create a function; returns its finished operation."""
    operation = owner("POST", f"{FUNCTIONS}?functionId={name}", body)
    assert operation.status == 200, operation.text
    found: dict[str, Any] = operation.json()
    return waited(owner, found)


def waited(owner: Caller, operation: dict[str, Any]) -> dict[str, Any]:
    """Return the operation once it is done."""
    import time

    until = time.monotonic() + 120
    while not operation["done"]:
        assert time.monotonic() < until
        time.sleep(0.05)
        url = f"https://cloudfunctions.googleapis.com/v2/{operation['name']}"
        operation = owner("GET", url).json()
    return operation


def test_try(cloud: Cloud, owner: Caller) -> None:
    """x."""
    source = uploaded(owner, {"main.py": MAIN, "requirements.txt": REQUIREMENTS})
    import time

    t = time.time()
    operation = deployed(owner, "hello", function(source, environmentVariables={"A": "b"}))
    print(time.time() - t, operation)
    made = operation["response"]
    token = cloud.tokens.id_token("owner@example.com", made["url"])
    answer = cloud.request("GET", made["url"] + "/x", headers={"authorization": f"Bearer {token}"})
    print(answer.status, answer.text)
    answer = cloud.request(
        "GET", made["serviceConfig"]["uri"] + "/x", headers={"authorization": f"Bearer {token}"}
    )
    print(answer.status, answer.text)
    bad = deployed(owner, "bad", function(source, entry="nope"))
    print(bad["error"])
    f = owner("GET", f"{FUNCTIONS}/bad").json()
    print(f["state"], f["stateMessages"])
