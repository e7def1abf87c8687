"""schema: the migration, once, before the server."""

import pytest

from schemas.platform import Platform
from tests.planner.compiled import BASIC_AUTH, body, part, resource


def test_the_job_migrates_with_the_image_of_the_server(platform: Platform) -> None:
    """The same image by digest, another command."""
    (container,) = body(part(platform, "schema"), "migrate_job")["template"]["template"][
        "containers"
    ]
    (served,) = body(part(platform, "tracking_server"), "service")["template"]["containers"]
    assert container["image"] == served["image"]
    assert container["args"] == ["migrate"]


def test_the_migration_sees_what_the_server_will_see(platform: Platform) -> None:
    """It makes the tables of basic-auth, too, so it has the same settings and mounts."""
    job = body(part(platform, "schema", **BASIC_AUTH), "migrate_job")["template"]["template"]
    service = body(part(platform, "tracking_server", **BASIC_AUTH), "service")["template"]
    assert job["containers"][0]["env"] == service["containers"][0]["env"]
    assert job["volumes"] == service["volumes"]


@pytest.mark.parametrize(("engine", "retries"), [("postgresql", 1), ("mysql", 0)])
def test_only_a_migration_that_is_rolled_back_is_tried_again(
    platform: Platform, engine: str, retries: int
) -> None:
    """MySQL keeps the half that was done, and the second run would stumble over it."""
    plan = part(platform, "schema", placement="dedicated", database={"engine": engine})
    assert body(plan, "migrate_job")["template"]["template"]["maxRetries"] == retries


def test_the_run_counts_only_when_it_succeeded(platform: Platform) -> None:
    """A started execution proves nothing."""
    run = resource(part(platform, "schema"), "migration")
    assert run.ready is not None
    assert (run.ready.path, run.ready.value) == (
        ("latestCreatedExecution", "completionStatus"),
        "EXECUTION_SUCCEEDED",
    )
    assert {check.value for check in run.failed} == {"EXECUTION_FAILED", "EXECUTION_CANCELLED"}


def test_the_job_runs_again_even_if_it_has_run_before(platform: Platform) -> None:
    """The last run may have been that of an older image."""
    run = resource(part(platform, "schema"), "migration")
    assert run.digest is None
    assert run.update == run.create
    assert run.create.url.endswith("/jobs/mlflow-demo-migrate:run")
