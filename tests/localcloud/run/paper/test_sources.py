"""Source becomes an image through Cloud Run's builds, as ``gcloud run deploy --source`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from tests.localcloud.run.echo import PARENT, Caller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock

SUBMIT = f"https://run.googleapis.com/v2/{PARENT}/builds:submit"
REPOSITORY = f"https://artifactregistry.googleapis.com/v1/{PARENT}/repositories"
IMAGE = "europe-west1-docker.pkg.dev/berth-local/mine/web"
ROLE = "roles/cloudbuild.builds.builder"
WANTED = {
    "storageSource": {"bucket": "mine", "object": "source.zip"},
    "imageUri": IMAGE,
    "dockerBuild": {},
}


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A cloud on paper with a repository, a source, and an account that may build."""
    made = Cloud(tmp_path / "state", clock=clock)
    made.enable(*(f"{api}.googleapis.com" for api in ("run", "cloudbuild", "artifactregistry")))
    made.grant(f"serviceAccount:{made.number}-compute@developer.gserviceaccount.com", ROLE)
    owner = Caller(made)
    owner("POST", f"{REPOSITORY}?repositoryId=mine", {"format": "DOCKER"})
    buckets = "https://storage.googleapis.com/storage/v1/b?project=berth-local"
    owner("POST", buckets, {"name": "mine", "location": "EUROPE-WEST1"})
    upload = "https://storage.googleapis.com/upload/storage/v1/b/mine/o?uploadType=media"
    owner("POST", f"{upload}&name=source.zip", {"any": "bytes"})
    yield made
    made.close()


def test_source_becomes_an_image(cloud: Cloud, clock: VirtualClock) -> None:
    """The operation is Cloud Build's, and can be asked for by the build's ID."""
    owner = Caller(cloud)

    begun = owner("POST", SUBMIT, WANTED)
    assert begun.status == 200, begun.text
    build = begun.json()["buildOperation"]["metadata"]["build"]
    clock.run_until_idle()
    name = f"{PARENT}/operations/{build['id']}"
    ended = owner("GET", f"https://cloudbuild.googleapis.com/v1/{name}").json()

    assert (ended["name"], ended["done"]) == (name, True)
    assert ended["response"]["results"]["images"][0]["name"] == IMAGE
    assert owner("GET", f"https://cloudbuild.googleapis.com/v1/{name}x").status == 404


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"dockerBuild": None, "buildpackBuild": {}}, 501, "the source needs a Dockerfile"),
        ({"dockerBuild": None}, 400, "build_type: must be set"),
        ({"imageUri": None}, 400, "image_uri"),
        ({"storageSource": None}, 400, "storage_source"),
        ({"machineType": "E2_HIGHCPU_8"}, 501, "machineType has no local counterpart"),
        ({"workerPool": "projects/p/locations/l/workerPools/w"}, 501, "workerPool"),
        ({"imageUri": "example.com/web"}, 400, "example.com/web"),
        ({"serviceAccount": "somebody"}, 400, "must have the form"),
    ],
)
def test_what_cannot_be_built_is_refused(
    cloud: Cloud, change: dict[str, Any], code: int, words: str
) -> None:
    """By name, before anything begins; what Cloud Build refuses, in its words."""
    body = {key: value for key, value in {**WANTED, **change}.items() if value is not None}

    refused = Caller(cloud)("POST", SUBMIT, body)

    assert refused.status == code, refused.text
    assert words in refused.json()["error"]["message"]


def test_who_may_not_build_may_not_build_here(cloud: Cloud) -> None:
    """Rights to deploy are no rights to build."""
    cloud.grant("user:ann@example.com", "roles/run.admin")

    refused = Caller(cloud, "ann@example.com")("POST", SUBMIT, WANTED)

    assert refused.status == 403
    assert "cloudbuild.builds.create" in refused.text


def test_how_it_was_built_is_kept(cloud: Cloud, clock: VirtualClock) -> None:
    """Knative's annotations are v2's buildConfig, and come back."""
    owner = Caller(cloud)
    owner("POST", SUBMIT, WANTED)
    clock.run_until_idle()
    marks = {
        "run.googleapis.com/build-image-uri": IMAGE,
        "run.googleapis.com/build-enable-automatic-updates": "false",
    }
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "web", "annotations": marks},
        "spec": {"template": {"spec": {"containers": [{"image": IMAGE}]}}},
    }
    namespace = "apis/serving.knative.dev/v1/namespaces/berth-local/services"
    made = owner("POST", f"https://europe-west1-run.googleapis.com/{namespace}", service)
    assert made.status == 200, made.text
    shown = owner("GET", f"https://run.googleapis.com/v2/{PARENT}/services/web").json()

    assert shown["buildConfig"] == {"imageUri": IMAGE, "enableAutomaticUpdates": False}
    assert marks.items() <= made.json()["metadata"]["annotations"].items()
