"""A cloud whose builds are real: a repository, a source bucket, an account that builds."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from tests.localcloud.patience import eventually
from tests.localcloud.wire import OWNER, client

if TYPE_CHECKING:
    from pathlib import Path

P, R = "berth-local", "europe-west1"
PARENT = f"projects/{P}/locations/{R}"
BUILDER = f"builder@{P}.iam.gserviceaccount.com"
ACCOUNT = f"projects/{P}/serviceAccounts/{BUILDER}"
REPOSITORY = f"//artifactregistry.googleapis.com/{PARENT}/repositories/berth"
BUCKET = "//storage.googleapis.com/projects/_/buckets/source"
TAG = f"{R}-docker.pkg.dev/{P}/berth/hello:1"


def open_cloud(state: Path) -> Cloud:
    """Return a cloud on the real clock with a repository, a bucket and a build account."""
    made = Cloud(state)
    hosts = ("cloudbuild", "artifactregistry", "secretmanager", "iam")
    made.enable(*(f"{host}.googleapis.com" for host in hosts))
    accounts = client(made, "iam", "v1").projects().serviceAccounts()
    accounts.create(name=f"projects/{P}", body={"accountId": "builder"}).execute()
    repositories = client(made, "artifactregistry", "v1").projects().locations().repositories()
    wanted = {"format": "DOCKER"}
    repositories.create(parent=PARENT, repositoryId="berth", body=wanted).execute()
    buckets = client(made, "storage", "v1").buckets()
    buckets.insert(project=P, body={"name": "source", "location": "EU"}).execute()
    made.grant(f"serviceAccount:{BUILDER}", "roles/artifactregistry.writer", on=REPOSITORY)
    made.grant(f"serviceAccount:{BUILDER}", "roles/storage.objectViewer", on=BUCKET)
    made.grant(f"serviceAccount:{BUILDER}", "roles/logging.logWriter")
    return made


def upload(cloud: Cloud, name: str, **files: str) -> dict[str, str]:
    """Put a .tar.gz into the source bucket; return it as a storageSource."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(path.replace("__", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    token = cloud.tokens.access_token(OWNER)
    answer = cloud.request(
        "POST",
        f"https://storage.googleapis.com/upload/storage/v1/b/source/o?uploadType=media&name={name}",
        headers={"authorization": f"Bearer {token}", "content-type": "application/gzip"},
        body=packed.getvalue(),
    )
    found = json.loads(answer.body)
    return {"bucket": "source", "object": name, "generation": found["generation"]}


def run(cloud: Cloud, **build: Any) -> dict[str, Any]:
    """Create a build and wait for its end."""
    builds = client(cloud, "cloudbuild", "v1").projects().locations().builds()
    whole = {"serviceAccount": ACCOUNT, "options": {"logging": "CLOUD_LOGGING_ONLY"}, **build}
    operation = builds.create(parent=PARENT, body=whole).execute()
    chosen = operation["metadata"]["build"]["id"]
    name = f"{PARENT}/builds/{chosen}"
    operations = client(cloud, "cloudbuild", "v1").operations()
    eventually(lambda: operations.get(name=operation["name"]).execute().get("done"))
    found: dict[str, Any] = builds.get(name=name).execute()
    return found


def log_of(cloud: Cloud, build: dict[str, Any]) -> str:
    """Return the text of a build's log."""
    entries = client(cloud, "logging", "v2").entries()
    query = f'resource.type="build" AND resource.labels.build_id="{build["id"]}"'
    body = {"resourceNames": [f"projects/{P}"], "filter": query, "pageSize": 1000}
    found = entries.list(body=body).execute().get("entries", [])
    return "\n".join(entry["textPayload"] for entry in found)


def docker(*args: str, **more: Any) -> dict[str, Any]:
    """Return a step on the docker builder."""
    return {"name": "gcr.io/cloud-builders/docker", "args": list(args), **more}
