"""image: built once per content, shared, deployed by digest."""

import pytest

from planner.image import by_digest
from planner.observed import NotObservedError
from planner.target import NotOfferedError, Target
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from tests.planner.compiled import body, part, resource
from tests.planner.drawn import SHA, spec_of

TARGET = spec_of(DeploymentRequest(name="demo", team="risk"))


def test_the_image_is_looked_for_under_the_digest_of_its_source(platform: Platform) -> None:
    """An image that is there already is not built again."""
    image = resource(part(platform, "image"), "image")
    assert image.url == (
        "https://artifactregistry.googleapis.com/v1/projects/acme-mlflow/locations/europe-west1"
        "/repositories/berth/packages/tracking-server/tags/0a1b2c3d4e5f"
    )
    assert image.keep


def test_a_build_takes_exactly_one_generation_of_the_source(platform: Platform) -> None:
    """Nobody can swap the source between the upload and the build."""
    build = body(part(platform, "image", mlflow_version="2.22.5"), "image")
    assert build["source"]["storageSource"]["generation"] == "1731400000000001"
    assert "MLFLOW_VERSION=2.22.5" in build["steps"][0]["args"]
    assert build["images"] == [
        "europe-west1-docker.pkg.dev/acme-mlflow/berth/tracking-server:5f4e3d2c1b0a"
    ]


def test_a_build_runs_as_berth_s_own_account_and_says_where_its_log_goes(
    platform: Platform,
) -> None:
    """With an account of its own a build without a log option is refused with a 400."""
    build = body(part(platform, "image"), "image")
    assert build["serviceAccount"].endswith(platform.accounts.build)
    assert build["options"]["logging"] == "CLOUD_LOGGING_ONLY"


def test_builds_can_be_found_by_content_and_by_deployment(platform: Platform) -> None:
    """The tags say which image a build makes and for whom."""
    assert body(part(platform, "image"), "image")["tags"] == [
        "berth-image-0a1b2c3d4e5f",
        "berth-deployment-demo",
    ]


def test_it_is_deployed_by_digest(platform: Platform) -> None:
    """A tag can be moved, a digest cannot."""
    known = {"image_version": f"projects/p/locations/l/packages/x/versions/{SHA}"}
    assert by_digest(Target(TARGET, platform), known).endswith(f"/tracking-server@{SHA}")


def test_an_image_nobody_looked_up_is_an_error_that_says_so(platform: Platform) -> None:
    """A part asked for too early names what it lacks."""
    with pytest.raises(NotObservedError, match="image_version"):
        by_digest(Target(TARGET, platform), {})


def test_a_version_without_a_source_is_refused(platform: Platform) -> None:
    """A spec older than the platform may name a version that is offered no more."""
    with pytest.raises(NotOfferedError, match=r"9\.9\.9 is not offered; 2\.22\.5, 3\.17\.2 are"):
        part(platform, "image", mlflow_version="9.9.9")
