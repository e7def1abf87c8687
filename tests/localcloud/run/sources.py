"""Sources of functions, and how they are uploaded and deployed."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

FUNCTIONS = f"https://cloudfunctions.googleapis.com/v2/{PARENT}/functions"
BUILDER = "builder@berth-local.iam.gserviceaccount.com"
BUILDER_ROLES = (
    "roles/artifactregistry.writer",
    "roles/logging.logWriter",
    "roles/storage.objectViewer",
)
REQUIREMENTS = "functions-framework==3.10.2\n"


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
    url = f"https://cloudfunctions.googleapis.com/v2/{operation['name']}"

    def ended() -> dict[str, Any]:
        found: dict[str, Any] = owner("GET", url).json()
        return found if found["done"] else {}

    return operation if operation["done"] else eventually(ended, within=120)
