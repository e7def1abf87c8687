"""From an uploaded source to an image that runs: Cloud Build and Artifact Registry, nothing faked."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from localcloud.machines import box, image_tree
from tests.localcloud.patience import eventually
from tests.localcloud.services.cloudbuild.real_builds import (
    BUILDER,
    PARENT,
    REPOSITORY,
    TAG,
    docker,
    log_of,
    open_cloud,
    run,
    upload,
)
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud

DOCKERFILE = """
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS build
RUN mkdir -p /opt/tool && printf '#!/bin/sh\\necho hello $WHO' > /opt/tool/hello && chmod +x /opt/tool/hello
RUN python -c "import sys; print(sys.prefix)" > /opt/prefix

FROM python:${PYTHON}-slim
ARG WHO=nobody
COPY --from=build /opt/tool /opt/tool
COPY --from=build /opt/prefix /srv/app/
WORKDIR /srv/app
COPY . .
RUN ["python", "-c", "open('made', 'w').write('here')"]
ENV WHO=$WHO PATH=/opt/tool:$PATH
USER 65532
ENTRYPOINT ["hello"]
CMD ["x"]
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that builds for real."""
    made = open_cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.close()


def test_a_source_becomes_an_image_that_runs(cloud: Cloud) -> None:
    """The whole way: archive, stages, RUN, push, digest, and the entrypoint says hello."""
    source = upload(cloud, "a.tgz", Dockerfile=DOCKERFILE, data__txt="data")
    steps = [docker("build", "--pull", "--build-arg", "WHO=${_WHO}", "-t", TAG, ".")]
    build = run(
        cloud,
        source={"storageSource": source},
        steps=steps,
        images=[TAG],
        substitutions={"_WHO": "world"},
        tags=["one"],
    )

    assert build["status"] == "SUCCESS", log_of(cloud, build)
    digest = build["results"]["images"][0]["digest"]
    image = cloud.images.find(f"{TAG.rpartition(':')[0]}@{digest}")
    assert image == cloud.images.find(TAG)
    assert (image.root / "srv/app/made").read_text() == "here"
    assert (image.root / "srv/app/data.txt").read_text() == "data"
    assert (image.root / "srv/app/prefix").read_text() == "/opt/python\n"
    assert image.config["Entrypoint"] == ["hello"]
    env = dict(pair.split("=", 1) for pair in image.config["Env"])
    line = box.argv(
        image.config["Entrypoint"],
        binds=image_tree.binds(image.root),
        user=int(image.config["User"]),
        workdir=image.config["WorkingDir"],
    )
    said = subprocess.run(line, env=env, capture_output=True, text=True, check=True)
    assert said.stdout == "hello world\n"
    assert "Successfully tagged" in log_of(cloud, build)

    repositories = client(cloud, "artifactregistry", "v1").projects().locations().repositories()
    tag = f"{PARENT}/repositories/berth/packages/hello/tags/1"
    found = repositories.packages().tags().get(name=tag).execute()
    assert found["version"].endswith(digest)
    listed = repositories.dockerImages().list(parent=f"{PARENT}/repositories/berth").execute()
    assert [one["tags"] for one in listed["dockerImages"]] == [["1"]]

    again = run(
        cloud,
        source={"storageSource": source},
        steps=steps,
        images=[TAG],
        substitutions={"_WHO": "world"},
    )
    assert again["results"]["images"][0]["digest"] == digest


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("FROM python:3.12-slim\nRUN exit 3", "returned a non-zero code: 3"),
        ("FROM python:3.12-slim\nRUN touch /usr/bin/x", "Read-only file system"),
        ("FROM ubuntu:24.04", "no base image ubuntu:24.04"),
        ("FROM python:3.12-slim\nADD a b", "ADD is not supported"),
        ("FROM python:3.12-slim\nCOPY nothing /", "nothing is not in the context"),
        ("FROM python:3.12-slim\nCOPY --from=x a /", "there is no such stage"),
        ("FROM python:3.12-slim\nUSER web", "users are known by number"),
        ("FROM python:3.12-slim\nRUN no-such-program", "no-such-program: not found"),
    ],
)
def test_a_failing_dockerfile_fails_the_build_and_says_why(
    cloud: Cloud, dockerfile: str, words: str
) -> None:
    """FAILURE, USER_BUILD_STEP, and the reason is in the log."""
    source = upload(cloud, "bad.tgz", Dockerfile=dockerfile)
    build = run(
        cloud,
        source={"storageSource": source},
        steps=[docker("build", "-t", TAG, ".")],
        images=[TAG],
    )
    assert build["status"] == "FAILURE"
    assert build["failureInfo"]["type"] == "USER_BUILD_STEP"
    assert words in log_of(cloud, build)


def test_the_source_needs_the_build_accounts_rights(cloud: Cloud) -> None:
    """An object the build account may not read, or that is not there, is FETCH_SOURCE_FAILED."""
    source = upload(cloud, "c.tgz", Dockerfile="FROM scratch")
    gone = run(
        cloud,
        source={"storageSource": {**source, "generation": "1"}},
        steps=[docker("build", "-t", TAG, ".")],
    )
    assert gone["failureInfo"]["type"] == "FETCH_SOURCE_FAILED"


def test_nothing_outside_the_workspace_can_be_built(cloud: Cloud) -> None:
    """A context above the workspace is refused."""
    build = run(cloud, steps=[docker("build", "-t", TAG, "../..")])
    assert build["status"] == "FAILURE"
    assert "is outside of /workspace" in log_of(cloud, build)


def test_no_step_can_change_the_machine(cloud: Cloud) -> None:
    """Steps see the host's files and cannot write them, not even as root."""
    script = "touch /usr/evil /etc/evil 2>&1; touch /workspace/fine /tmp/fine"
    build = run(cloud, steps=[{"name": "gcr.io/cloud-builders/docker", "script": script}])
    assert build["status"] == "SUCCESS", log_of(cloud, build)
    assert log_of(cloud, build).count("touch: cannot touch") == 2


def test_an_image_that_was_not_built_cannot_be_pushed(cloud: Cloud) -> None:
    """Images lists something no step made."""
    build = run(
        cloud, steps=[{"name": "gcr.io/cloud-builders/docker", "script": "true"}], images=[TAG]
    )
    assert build["failureInfo"]["type"] == "PUSH_IMAGE_NOT_FOUND"
    other = TAG.replace("/berth/", "/other/")
    source = upload(cloud, "d.tgz", Dockerfile="FROM scratch")
    build = run(
        cloud,
        source={"storageSource": source},
        steps=[docker("build", "-t", other, ".")],
        images=[other],
    )
    assert build["failureInfo"]["type"] == "PUSH_NOT_AUTHORIZED"
    assert "uploadArtifacts" in build["statusDetail"]


def test_an_image_without_a_repository_is_removed(cloud: Cloud) -> None:
    """Deleting a repository frees the disk."""
    repositories = client(cloud, "artifactregistry", "v1").projects().locations().repositories()
    operations = client(cloud, "artifactregistry", "v1").projects().locations().operations()
    wanted = {"format": "DOCKER"}
    repositories.create(parent=PARENT, repositoryId="passing", body=wanted).execute()
    place = REPOSITORY.replace("repositories/berth", "repositories/passing")
    cloud.grant(f"serviceAccount:{BUILDER}", "roles/artifactregistry.writer", on=place)
    tag = TAG.replace("/berth/", "/passing/")
    source = upload(cloud, "p.tgz", Dockerfile="FROM scratch\nCOPY . .", data__txt="data")
    steps = [docker("build", "-t", tag, ".")]
    build = run(cloud, source={"storageSource": source}, steps=steps, images=[tag])
    assert build["status"] == "SUCCESS", log_of(cloud, build)
    image = cloud.images.find(tag)

    operation = repositories.delete(name=f"{PARENT}/repositories/passing").execute()
    eventually(lambda: operations.get(name=operation["name"]).execute()["done"])

    assert "error" not in operations.get(name=operation["name"]).execute()
    assert not image.root.exists()
    assert cloud.images.find(tag) is None
