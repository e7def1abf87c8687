"""tracking_server: the Cloud Run service."""

from typing import Any

import pytest

from planner import sizes
from planner.observed import NotObservedError
from planner.plan import plan_part
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from tests.planner.compiled import BASIC_AUTH, body, part, resource
from tests.planner.drawn import observed, spec_of


def service(platform: Platform, **request: Any) -> dict[str, Any]:
    """Return the body of the service."""
    return body(part(platform, "tracking_server", **request), "service")


def environment(made: dict[str, Any]) -> dict[str, str]:
    """Return the variables of its container."""
    return {item["name"]: item["value"] for item in made["template"]["containers"][0]["env"]}


def test_a_start_may_take_as_long_as_mlflow_waits_for_its_database(platform: Platform) -> None:
    """MLflow tries for 106 s; the probe gives at least 180 and at most what Cloud Run allows."""
    probe = service(platform)["template"]["containers"][0]["startupProbe"]
    assert 180 <= probe["periodSeconds"] * probe["failureThreshold"] <= 240
    assert probe["timeoutSeconds"] < probe["periodSeconds"]
    assert probe["httpGet"]["path"] == "/health"


def test_requests_come_over_http_2(platform: Platform) -> None:
    """Over HTTP/1 Cloud Run takes 32 MiB at most; the port's name is what says so."""
    (container,) = service(platform)["template"]["containers"]
    assert container["ports"] == [{"name": "h2c", "containerPort": 8080}]


@pytest.mark.parametrize(("mode", "way"), [("iam", "http2"), ("iap", "signed_parts")])
def test_the_server_is_told_how_large_artifacts_come(
    platform: Platform, mode: str, way: str
) -> None:
    """Port and variable say the same, or clients send what nobody takes."""
    made = service(platform, access={"mode": mode})
    (port,) = made["template"]["containers"][0]["ports"]
    assert environment(made)["ARTIFACT_UPLOADS"] == way
    assert port["name"] == {"http2": "h2c", "signed_parts": "http1"}[way]


def test_the_server_knows_how_much_it_may_take_in(platform: Platform) -> None:
    """The bound of the uploads goes by the size's memory."""
    room = environment(service(platform, size="large"))["UPLOAD_ROOM_MIB"]
    assert int(room) == sizes.SHAPES["large"].upload_room_mib


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_the_server_is_told_which_engine_it_is(platform: Platform, engine: str) -> None:
    """The image is the same for both."""
    made = service(platform, placement="dedicated", database={"engine": engine})
    assert environment(made)["DB_ENGINE"] == engine


def test_google_checks_callers_unless_mlflow_does(platform: Platform) -> None:
    """With iam Google checks, basic_auth leaves the door to MLflow's login."""
    assert service(platform)["invokerIamDisabled"] is False
    assert service(platform, **BASIC_AUTH)["invokerIamDisabled"] is True


def test_mlflow_asks_for_a_login_exactly_with_basic_auth(platform: Platform) -> None:
    """The two halves of the access mode never disagree."""
    assert environment(service(platform))["AUTH_MODE"] == "none"
    assert environment(service(platform, **BASIC_AUTH))["AUTH_MODE"] == "basic"
    assert environment(service(platform, **BASIC_AUTH))["MLFLOW_AUTH_ADMIN_USERNAME"] == "root"


def test_each_secret_is_a_file_in_a_directory_of_its_own(platform: Platform) -> None:
    """A mount hides what else is in its directory."""
    made = service(platform, **BASIC_AUTH)["template"]
    mounts = {mount["name"]: mount["mountPath"] for mount in made["containers"][0]["volumeMounts"]}
    assert mounts == {
        "cloudsql": "/cloudsql",
        "db-password": "/secrets/db-password",
        "admin-password": "/secrets/admin-password",
        "flask-secret": "/secrets/flask-secret",
    }
    assert {volume["name"] for volume in made["volumes"]} == mounts.keys()
    assert environment(service(platform))["DB_PASSWORD_FILE"] == "/secrets/db-password/value"


def test_without_basic_auth_no_login_is_mounted(platform: Platform) -> None:
    """The server gets nothing that it does not use."""
    volumes = service(platform)["template"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["cloudsql", "db-password"]


def test_it_pays_per_request_and_starts_fast(platform: Platform) -> None:
    """CPU only during requests, more of it while starting, second generation."""
    made = service(platform)["template"]
    assert made["containers"][0]["resources"]["cpuIdle"] is True
    assert made["containers"][0]["resources"]["startupCpuBoost"] is True
    assert made["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2"


def test_the_size_decides_what_a_server_gets(platform: Platform) -> None:
    """One worker per vCPU, instances from the size unless asked for."""
    small, large = service(platform), service(platform, size="large")
    assert environment(small)["MLFLOW_WORKERS"] == "1"
    assert environment(large)["MLFLOW_WORKERS"] == "4"
    assert small["template"]["containers"][0]["resources"]["limits"] == {
        "cpu": "1",
        "memory": "2Gi",
    }
    assert small["template"]["scaling"] == {"minInstanceCount": 0, "maxInstanceCount": 3}


def test_instances_are_as_asked_for(platform: Platform) -> None:
    """What the request says wins over the size."""
    serving = {"platform": "cloud_run", "min_instances": 1, "max_instances": 2}
    assert service(platform, serving=serving)["template"]["scaling"] == {
        "minInstanceCount": 1,
        "maxInstanceCount": 2,
    }


def test_a_failed_revision_can_be_tried_again(platform: Platform) -> None:
    """The same content makes no new revision unless it is forced."""
    update = resource(part(platform, "tracking_server"), "service").update
    assert update is not None
    assert "forceNewRevision=true" in update.url


def test_another_image_is_another_digest(platform: Platform) -> None:
    """A changed body shows in the label, so drift is seen by one GET."""
    spec = spec_of(DeploymentRequest(name="demo", team="risk"))
    known = observed(platform)
    other = {**known, "image_version": "x/versions/sha256:" + "f" * 64}
    digests = set()
    for seen in (known, other, known):
        step = resource(plan_part(spec, platform, "tracking_server", seen), "service")
        assert step.digest is not None
        digests.add(step.digest.value)
    assert len(digests) == 2


@pytest.mark.parametrize("version", [None, "", ["1"]])
def test_a_password_nobody_made_is_an_error_that_says_so(
    platform: Platform, version: str | list[str] | None
) -> None:
    """A part asked for too early names what it lacks instead of mounting nothing."""
    spec = spec_of(DeploymentRequest(name="demo", team="risk"))
    known = {**observed(platform), "db_password_version": version}
    with pytest.raises(NotObservedError, match="db_password_version"):
        plan_part(spec, platform, "tracking_server", known)
