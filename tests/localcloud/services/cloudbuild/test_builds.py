"""Cloud Build's API: what it checks before a build starts, and how builds are found (on paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from tests.localcloud.wire import client

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

P, R = "berth-local", "europe-west1"
PARENT = f"projects/{P}/locations/{R}"
EMAIL = f"builder@{P}.iam.gserviceaccount.com"
TAG = f"{R}-docker.pkg.dev/{P}/berth/server:1"
DOCKER = "gcr.io/cloud-builders/docker"


def body(**changes: Any) -> dict[str, Any]:
    """Return a build that is accepted, with changes; None takes a field out."""
    whole = {
        "steps": [{"name": DOCKER, "args": ["build", "-t", TAG, "."]}],
        "images": [TAG],
        "serviceAccount": f"projects/{P}/serviceAccounts/{EMAIL}",
        "options": {"logging": "CLOUD_LOGGING_ONLY"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


@pytest.fixture
def builds(cloud: Cloud, clock: VirtualClock) -> Any:
    """Return Google's client, with a build account that may push to a repository."""
    hosts = ("cloudbuild", "artifactregistry", "iam")
    cloud.enable(*(f"{host}.googleapis.com" for host in hosts))
    accounts = client(cloud, "iam", "v1").projects().serviceAccounts()
    accounts.create(name=f"projects/{P}", body={"accountId": "builder"}).execute()
    repositories = client(cloud, "artifactregistry", "v1").projects().locations().repositories()
    repositories.create(parent=PARENT, repositoryId="berth", body={"format": "DOCKER"}).execute()
    clock.run_until_idle()
    cloud.grant(f"serviceAccount:{EMAIL}", "roles/artifactregistry.writer")
    return client(cloud, "cloudbuild", "v1").projects().locations().builds()


def refused(builds: Any, **changes: Any) -> tuple[int, str]:
    """Return code and message of a refusal."""
    with pytest.raises(HttpError) as error:
        builds.create(parent=PARENT, body=body(**changes)).execute()
    return error.value.status_code, error.value.reason


def step(**fields: Any) -> dict[str, Any]:
    """Return a docker step."""
    return {"name": DOCKER, "args": ["build", "."], **fields}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": None}, "at least one build step"),
        ({"steps": [{"args": ["build"]}]}, "build step 0: .name is required"),
        ({"steps": [step(waitFor=["x"])]}, "wait_for names 'x'"),
        ({"steps": [step(id="a"), step(id="a")]}, "the id 'a' is used twice"),
        ({"steps": [step(script="true")]}, "script cannot be combined"),
        ({"steps": [step(secretEnv=["S"])]}, "secretEnv 'S' is not in availableSecrets"),
        (
            {"availableSecrets": {"secretManager": [{"versionName": "v", "env": "S"}]}},
            "the secret 'S' is not used",
        ),
        ({"serviceAccount": EMAIL}, "must have the form projects/"),
        ({"artifacts": {"objects": {"location": "x", "paths": ["a"]}}}, "must begin with gs://"),
        ({"artifacts": {"objects": {"location": "gs://x"}}}, "must name at least one file"),
        ({"steps": [step(volumes=[{"name": "v"}])]}, "invalid path ''"),
        ({"steps": [step(volumes=[{"name": "v", "path": "/workspace/x"}])]}, "invalid path"),
        ({"steps": [step(volumes=[{"path": "/x"}])]}, "a volume needs a name"),
        ({"steps": [step(volumes=[{"name": "v", "path": "/x"}]), step()]}, "by one step only"),
        (
            {
                "substitutions": {"_A": "${_B}", "_B": "${_A}"},
                "options": {"logging": "NONE", "dynamicSubstitutions": True},
                "tags": ["$_A"],
            },
            "round in a circle",
        ),
        (
            {
                "options": {"logging": "NONE", "dynamicSubstitutions": True},
                "tags": ["${PROJECT_ID@Q}"],
            },
            "cannot expand '@Q'",
        ),
        ({"options": {}}, "if 'build.service_account' is specified, the build must either (a)"),
        ({"options": None}, "CLOUD_LOGGING_ONLY / NONE logging options"),
        ({"timeout": "90000s"}, "at most 24 hours"),
        ({"images": ["gcr.io/p/x"]}, "invalid image name 'gcr.io/p/x'"),
        ({"tags": ["no spaces"]}, "invalid tag"),
        ({"substitutions": {"lower": "x"}}, "key 'lower' must begin"),
        ({"substitutions": {"_X": "x"}}, '"_X" is not matched in the template'),
        ({"steps": [step(args=["build", "$_Y"])]}, '"_Y" is not a valid built-in'),
        ({"serviceAccount": f"projects/{P}/serviceAccounts/x@{P}.iam.gserviceaccount.com"}, "x@"),
    ],
)
def test_bad_builds_are_refused(builds: Any, changes: dict[str, Any], words: str) -> None:
    """What Cloud Build would refuse is refused before anything runs."""
    code, message = refused(builds, **changes)
    assert code == 400
    assert words in message
    assert builds.list(parent=PARENT).execute() == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"options": {"defaultLogsBucketBehavior": "REGIONAL_USER_OWNED_BUCKET"}},
            "options.defaultLogsBucketBehavior",
        ),
        ({"source": {"gitSource": {"url": "https://x"}}}, "source.gitSource"),
        ({"options": {"logging": "NONE", "pool": {"name": "x"}}}, "options.pool"),
        ({"artifacts": {"pythonPackages": [{"repository": "r"}]}}, "artifacts.pythonPackages"),
    ],
)
def test_what_is_not_built_says_so(builds: Any, changes: dict[str, Any], words: str) -> None:
    """A field that would be ignored is a 501 that names it."""
    code, message = refused(builds, **changes)
    assert (code, words in message) == (501, True)


def test_a_build_goes_from_queued_to_success(builds: Any, clock: VirtualClock) -> None:
    """Its operation carries the build; the image has a digest and a tag."""
    operation = builds.create(parent=PARENT, body=body(tags=["run-1"])).execute()
    queued = operation["metadata"]["build"]
    assert queued["status"] == "QUEUED"
    assert queued["name"].startswith("projects/123456789012/locations/europe-west1/builds/")

    clock.run_until_idle()

    found = builds.get(name=f"{PARENT}/builds/{queued['id']}").execute()
    assert found["status"] == "SUCCESS"
    assert found["results"]["images"][0]["digest"].startswith("sha256:")
    assert "request" not in found


def test_substitutions_are_put_in(cloud: Cloud, builds: Any, clock: VirtualClock) -> None:
    """Both forms, built-in ones and the escape; what is stored stays as it was sent."""
    name = TAG.replace("server:1", "${_NAME}:$BUILD_ID")
    wanted = body(
        images=[name],
        steps=[step(args=["build", "-t", name, "--build-arg", "X=$$HOME", "."])],
        substitutions={"_NAME": "other"},
    )
    operation = builds.create(parent=PARENT, body=wanted).execute()
    clock.run_until_idle()
    chosen = operation["metadata"]["build"]["id"]
    assert cloud.images.find(TAG.replace("server:1", f"other:{chosen}")) is not None
    assert builds.get(name=f"{PARENT}/builds/{chosen}").execute()["images"] == [name]


def test_loose_substitutions_may_be_missing(builds: Any) -> None:
    """With ALLOW_LOOSE unknown ones are empty."""
    options = {"logging": "NONE", "substitutionOption": "ALLOW_LOOSE"}
    wanted = body(steps=[step(args=["build", "$_Y"])], options=options)
    assert builds.create(parent=PARENT, body=wanted).execute()["name"]


def test_builds_are_found_by_tag_and_status(builds: Any, clock: VirtualClock) -> None:
    """The filter that makes creating a build repeatable."""
    for tags in (["image-a", "x"], ["image-b"]):
        builds.create(parent=PARENT, body=body(tags=tags)).execute()
        clock.advance(1)
    found = builds.list(parent=PARENT, filter='tags="image-a"').execute()["builds"]
    assert [one["tags"] for one in found] == [["image-a", "x"]]
    newest_first = builds.list(parent=PARENT).execute()["builds"]
    assert [one["tags"][0] for one in newest_first] == ["image-b", "image-a"]
    working = 'tags="image-b" AND status="SUCCESS"'
    assert builds.list(parent=PARENT, filter=working).execute() == {}
    clock.run_until_idle()
    assert len(builds.list(parent=PARENT, filter=working).execute()["builds"]) == 1


def test_the_caller_must_be_able_to_act_as_the_build_account(cloud: Cloud, builds: Any) -> None:
    """Editor of builds is not enough: B-22."""
    cloud.grant("user:eve@example.com", "roles/cloudbuild.builds.editor")
    eve = client(cloud, "cloudbuild", "v1", "eve@example.com").projects().locations().builds()
    code, message = refused(eve)
    assert (code, "iam.serviceAccounts.actAs" in message) == (403, True)
    assert builds.list(parent=PARENT).execute() == {}


def test_a_missing_writer_role_is_push_not_authorized(  # noqa: D103
    cloud: Cloud,
    builds: Any,
    clock: VirtualClock,
) -> None:
    policy = client(cloud, "cloudresourcemanager", "v1").projects()
    current = policy.getIamPolicy(resource=P, body={}).execute()
    current["bindings"] = [
        one for one in current["bindings"] if one["role"] != "roles/artifactregistry.writer"
    ]
    policy.setIamPolicy(resource=P, body={"policy": current}).execute()
    operation = builds.create(parent=PARENT, body=body()).execute()
    clock.run_until_idle()
    name = f"{PARENT}/builds/{operation['metadata']['build']['id']}"
    found = builds.get(name=name).execute()
    assert found["status"] == "FAILURE"
    assert found["failureInfo"]["type"] == "PUSH_NOT_AUTHORIZED"


def test_without_the_log_writer_role_the_build_warns(builds: Any, clock: VirtualClock) -> None:
    """The build goes on, but says that its log is nowhere."""
    operation = builds.create(parent=PARENT, body=body()).execute()
    clock.run_until_idle()
    name = f"{PARENT}/builds/{operation['metadata']['build']['id']}"
    assert "roles/logging.logWriter" in builds.get(name=name).execute()["warnings"][0]["text"]


def test_an_operation_that_fails_leaves_no_working_build(  # noqa: D103
    cloud: Cloud,
    builds: Any,
    clock: VirtualClock,
) -> None:
    cloud.fail_operation("cloudbuild.projects.locations.builds.create", "INTERNAL", "no machines")
    operation = builds.create(parent=PARENT, body=body()).execute()
    clock.run_until_idle()
    name = f"{PARENT}/builds/{operation['metadata']['build']['id']}"
    found = builds.get(name=name).execute()
    assert (found["status"], found["statusDetail"]) == ("INTERNAL_ERROR", "no machines")


def test_a_queued_build_can_be_cancelled_and_retried(builds: Any, clock: VirtualClock) -> None:
    """A retry is a new build."""
    operation = builds.create(parent=PARENT, body=body()).execute()
    name = f"{PARENT}/builds/{operation['metadata']['build']['id']}"
    assert builds.cancel(name=name, body={}).execute()["status"] == "CANCELLED"
    clock.run_until_idle()
    assert builds.get(name=name).execute()["status"] == "CANCELLED"
    again = builds.retry(name=name, body={}).execute()["metadata"]["build"]
    clock.run_until_idle()
    assert not name.endswith(again["id"])
    assert builds.get(name=f"{PARENT}/builds/{again['id']}").execute()["status"] == "SUCCESS"


def test_builds_without_a_location_are_global(cloud: Cloud, builds: Any) -> None:
    """The old methods see the global region only."""
    del builds
    old = client(cloud, "cloudbuild", "v1").projects().builds()
    operation = old.create(projectId=P, body=body()).execute()
    chosen = operation["metadata"]["build"]["id"]
    assert old.get(projectId=P, id=chosen).execute()["id"] == chosen
    assert [one["id"] for one in old.list(projectId=P).execute()["builds"]] == [chosen]
    with pytest.raises(HttpError):
        old.get(projectId=P, id="none").execute()
