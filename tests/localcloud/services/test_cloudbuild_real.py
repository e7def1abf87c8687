"""From an uploaded source to an image that runs: Cloud Build and Artifact Registry, nothing faked."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from localcloud import box, image_tree
from localcloud.cloud import Cloud
from tests.localcloud.patience import eventually
from tests.localcloud.wire import OWNER, client

if TYPE_CHECKING:
    from collections.abc import Iterator

P, R = "berth-local", "europe-west1"
PARENT = f"projects/{P}/locations/{R}"
BUILDER = f"builder@{P}.iam.gserviceaccount.com"
ACCOUNT = f"projects/{P}/serviceAccounts/{BUILDER}"
REPOSITORY = f"//artifactregistry.googleapis.com/{PARENT}/repositories/berth"
BUCKET = "//storage.googleapis.com/projects/_/buckets/source"
TAG = f"{R}-docker.pkg.dev/{P}/berth/hello:1"

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
    """Return a cloud on the real clock with a repository, a bucket and a build account."""
    made = Cloud(tmp_path_factory.mktemp("cloud"))
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
    yield made
    made.close()


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


def test_steps_share_the_workspace_and_wait_for_each_other(cloud: Cloud) -> None:
    """Files written by a script step are built; parallel steps join; env and dir are set."""
    script = (
        "#!/usr/bin/env bash\nset -eu\nprintf 'FROM scratch\\nCOPY made /made\\n' > Dockerfile\n"
    )
    steps = [
        {"id": "files", "name": "gcr.io/cloud-builders/docker", "script": script},
        {
            "id": "other",
            "name": "python:3.12-slim",
            "entrypoint": "python",
            "args": ["-c", "import os; open('/workspace/made', 'w').write(os.environ['WHO'])"],
            "env": ["WHO=me"],
            "waitFor": ["-"],
        },
        docker("build", "-t", TAG, ".", waitFor=["files", "other"]),
        docker("tag", TAG, TAG + "-b"),
    ]
    build = run(cloud, steps=steps, images=[TAG, TAG + "-b"])

    assert build["status"] == "SUCCESS", log_of(cloud, build)
    assert [step["status"] for step in build["steps"]] == ["SUCCESS"] * 4
    digests = {one["digest"] for one in build["results"]["images"]}
    assert len(digests) == 1
    image = cloud.images.find(TAG + "-b")
    assert (image.root / "made").read_text() == "me"


def test_secrets_reach_only_the_step_that_asks(cloud: Cloud) -> None:
    """SecretEnv is read with the build account's own rights."""
    secrets = client(cloud, "secretmanager", "v1").projects().secrets()
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    secrets.create(parent=f"projects/{P}", secretId="s", body=body).execute()
    name = f"projects/{P}/secrets/s"
    secrets.addVersion(parent=name, body={"payload": {"data": "aHVudGVyMg=="}}).execute()
    steps = [
        {"name": "gcr.io/cloud-builders/docker", "script": 'test -z "${PASS:-}"'},
        {
            "name": "gcr.io/cloud-builders/docker",
            "script": 'test "$PASS" = hunter2',
            "secretEnv": ["PASS"],
        },
    ]
    available = {"secretManager": [{"versionName": f"{name}/versions/1", "env": "PASS"}]}

    refused = run(cloud, steps=steps, availableSecrets=available)
    assert refused["status"] == "FAILURE"
    assert "secretmanager.versions.access" in refused["statusDetail"]

    full = f"//secretmanager.googleapis.com/{name}"
    cloud.grant(f"serviceAccount:{BUILDER}", "roles/secretmanager.secretAccessor", on=full)
    build = run(cloud, steps=steps, availableSecrets=available)
    assert build["status"] == "SUCCESS", log_of(cloud, build)
    assert "hunter2" not in log_of(cloud, build)


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


def test_timeouts_end_what_runs(cloud: Cloud) -> None:
    """A step that takes longer than the build's or its own timeout is stopped."""
    sleepy = {"name": "gcr.io/cloud-builders/docker", "script": "sleep 600"}
    began = time.monotonic()
    assert run(cloud, steps=[sleepy], timeout="1s")["status"] == "TIMEOUT"
    own = run(cloud, steps=[{**sleepy, "timeout": "1s"}])
    assert own["status"] == "TIMEOUT"
    assert time.monotonic() - began < 120


def test_a_cancelled_build_stops(cloud: Cloud) -> None:
    """Cancel ends the running step; a finished build cannot be cancelled."""
    builds = client(cloud, "cloudbuild", "v1").projects().locations().builds()
    body = {
        "steps": [{"name": "gcr.io/cloud-builders/docker", "script": "sleep 600"}],
        "serviceAccount": ACCOUNT,
        "options": {"logging": "CLOUD_LOGGING_ONLY"},
    }
    operation = builds.create(parent=PARENT, body=body).execute()
    name = f"{PARENT}/builds/{operation['metadata']['build']['id']}"
    eventually(lambda: builds.get(name=name).execute()["status"] == "WORKING")
    assert builds.cancel(name=name, body={}).execute()["status"] == "CANCELLED"
    operations = client(cloud, "cloudbuild", "v1").operations()
    eventually(lambda: operations.get(name=operation["name"]).execute().get("done"))
    found = operations.get(name=operation["name"]).execute()
    assert found["error"]["code"] == 1
    with pytest.raises(HttpError, match="cannot cancel"):
        builds.cancel(name=name, body={}).execute()


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
    image = cloud.images.find(TAG)
    repositories = client(cloud, "artifactregistry", "v1").projects().locations().repositories()
    operation = repositories.delete(name=f"{PARENT}/repositories/berth").execute()
    operations = client(cloud, "artifactregistry", "v1").projects().locations().operations()
    eventually(lambda: operations.get(name=operation["name"]).execute()["done"])
    assert "error" not in operations.get(name=operation["name"]).execute()
    assert not image.root.exists()
    assert cloud.images.find(TAG) is None


def test_volume_passes_files_and_substitutions_become_variables(cloud: Cloud) -> None:
    """What one step leaves in a volume the next one finds; automap puts substitutions into env."""
    volumes = [{"name": "kept", "path": "/kept"}]
    write, read = "echo $_WHO at $BUILD_ID > /kept/note", "cat /kept/note"
    image = "python:3.12-slim"
    found = run(
        cloud,
        steps=[
            {"name": image, "script": write, "volumes": volumes, "automapSubstitutions": True},
            {"name": image, "script": read, "volumes": volumes},
        ],
        substitutions={"_WHO": "me"},
    )

    assert found["status"] == "SUCCESS", log_of(cloud, found)
    assert f"me at {found['id']}" in log_of(cloud, found)


def test_files_and_log_go_to_buckets(cloud: Cloud) -> None:
    """Artifacts are uploaded with a manifest, and the log lies where the build says, readable."""
    buckets = client(cloud, "storage", "v1").buckets()
    buckets.insert(project=P, body={"name": "results", "location": "EU"}).execute()
    results = "//storage.googleapis.com/projects/_/buckets/results"
    cloud.grant(f"serviceAccount:{BUILDER}", "roles/storage.objectAdmin", on=results)

    found = run(
        cloud,
        steps=[{"name": "python:3.12-slim", "script": "mkdir out; echo one > out/a.txt"}],
        artifacts={"objects": {"location": "gs://results/here/", "paths": ["out/*.txt"]}},
        logsBucket="gs://results",
        options={"logging": "GCS_ONLY"},
    )

    assert found["status"] == "SUCCESS", found
    assert found["results"]["numArtifacts"] == "1"
    assert found["results"]["artifactManifest"].startswith("gs://results/here/artifacts-")
    objects = client(cloud, "storage", "v1").objects()
    names = {one["name"] for one in objects.list(bucket="results").execute()["items"]}
    assert {"here/a.txt", f"log-{found['id']}.txt"} <= names
    assert log_of(cloud, found) == ""
    url = f"https://storage.googleapis.com/results/log-{found['id']}.txt"
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}", "range": "bytes=0-7"}
    part = cloud.request("GET", url, headers=headers)
    assert (part.status, part.body) == (206, b"starting")
    late = cloud.request("GET", url, headers={**headers, "range": "bytes=99999-"})
    assert late.status == 416
    assert cloud.request("GET", url).status in {401, 403}


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ({"location": "gs://results-not-there/", "paths": ["a"]}, "results-not-there"),
        ({"location": "gs://source/", "paths": ["nothing-*"]}, "no files match"),
    ],
)
def test_artifacts_that_cannot_be_stored_fail_the_build(
    cloud: Cloud, objects: dict[str, Any], said: str
) -> None:
    """A missing bucket or file is the build's failure, by name."""
    step = {"name": "python:3.12-slim", "script": "echo > a"}

    found = run(cloud, steps=[step], artifacts={"objects": objects})

    assert (found["status"], said in found["statusDetail"]) == ("FAILURE", True), found


def test_steps_on_a_plain_system_are_this_machines_programs(cloud: Cloud) -> None:
    """Ubuntu, bash and curl are what this machine has; each starts what its image starts."""
    found = run(
        cloud,
        steps=[
            {"name": "ubuntu", "args": ["echo", "plain"]},
            {"name": "bash", "args": ["-c", "echo from $0"]},
            {"name": "debian:12-slim", "entrypoint": "sh", "args": ["-c", "exit 3"]},
        ],
    )

    log = log_of(cloud, found)
    assert "Step #0: plain" in log
    assert "Step #1: from " in log
    assert [one["status"] for one in found["steps"]] == ["SUCCESS", "SUCCESS", "FAILURE"]
    assert found["statusDetail"] == (
        'build step 2 "debian:12-slim" failed: step exited with non-zero status: 3'
    )


@pytest.mark.parametrize("image", ["golang", "alpine", "gcr.io/cloud-builders/npm", "mybash"])
def test_other_builder_images_are_refused_by_name(cloud: Cloud, image: str) -> None:
    """An image that is not here is no reason to run something else."""
    with pytest.raises(HttpError, match=f"no builder image {image};"):
        run(cloud, steps=[{"name": image, "args": ["x"]}])


def test_builds_wait_for_their_turn_and_expire(cloud: Cloud) -> None:
    """Beyond the quota builds are QUEUED; who waits longer than its queueTtl is EXPIRED."""
    builds = client(cloud, "cloudbuild", "v1").projects().locations().builds()
    cloud.quotas["cloudbuild.builds"] = 1
    options = {"logging": "CLOUD_LOGGING_ONLY"}
    slow = {"steps": [{"name": "ubuntu", "args": ["sleep", "60"]}], "options": options}
    try:
        first = builds.create(parent=PARENT, body=slow).execute()["metadata"]["build"]["id"]

        name = f"{PARENT}/builds/{first}"
        eventually(lambda: builds.get(name=name).execute()["status"] == "WORKING")
        late = run(cloud, steps=slow["steps"], queueTtl="1s")
        builds.cancel(name=name, body={}).execute()
        next_one = run(cloud, steps=[{"name": "ubuntu", "args": ["true"]}])
    finally:
        del cloud.quotas["cloudbuild.builds"]

    assert late["status"] == "EXPIRED"
    assert "queue_ttl" in late["statusDetail"]
    assert next_one["status"] == "SUCCESS"
