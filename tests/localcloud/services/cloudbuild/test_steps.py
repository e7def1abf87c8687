"""Steps that really run: their order, secrets, time, volumes, programs, and what they leave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from tests.localcloud.patience import eventually
from tests.localcloud.services.cloudbuild.real_builds import (
    ACCOUNT,
    BUILDER,
    PARENT,
    TAG,
    P,
    docker,
    log_of,
    open_cloud,
    run,
)
from tests.localcloud.wire import OWNER, client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that builds for real."""
    made = open_cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.close()


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
