"""artifact_root: a closed bucket that only the server uses."""

import pytest

from planner.artifact_root import multi_region
from schemas.platform import Platform
from tests.planner.compiled import body, grant, part, resource


def test_the_bucket_can_never_be_public(platform: Platform) -> None:
    """Uniform access and enforced prevention: no object can be opened to the world."""
    access = body(part(platform, "artifact_root"), "bucket")["iamConfiguration"]
    assert access == {
        "uniformBucketLevelAccess": {"enabled": True},
        "publicAccessPrevention": "enforced",
    }


def test_the_bucket_s_name_holds_the_project(platform: Platform) -> None:
    """Bucket names are shared by the whole world."""
    assert body(part(platform, "artifact_root"), "bucket")["name"] == "acme-mlflow-mlflow-demo"


def test_every_generation_is_deleted_with_the_bucket(platform: Platform) -> None:
    """A bucket with old versions in it is not empty."""
    bucket = resource(part(platform, "artifact_root"), "bucket")
    assert bucket.contents == f"{bucket.url}/o?versions=true"


def test_the_server_may_use_the_objects_but_not_the_policy(platform: Platform) -> None:
    """objectUser, where objectAdmin would let the server give its rights away."""
    binding = grant(part(platform, "artifact_root"), "server_may_use_bucket")
    assert binding.role == "roles/storage.objectUser"
    assert binding.wrap is False
    assert binding.write.method == "PUT"


def test_the_location_stays_as_it_was_made(platform: Platform) -> None:
    """Name and location cannot be changed, so an update does not send them."""
    bucket = resource(part(platform, "artifact_root"), "bucket")
    assert bucket.update is not None
    assert bucket.update.body is not None
    assert not bucket.update.body.keys() & {"name", "location"}


@pytest.mark.parametrize(("region", "location"), [("europe-west1", "EU"), ("us-central1", "US")])
def test_a_multi_region_is_that_of_the_server_s_continent(
    platform: Platform, region: str, location: str
) -> None:
    """Nothing leaves the continent that the team chose."""
    asked = {"region": region, "placement": "dedicated", "artifact_location": "multi_region"}
    assert body(part(platform, "artifact_root", **asked), "bucket")["location"] == location


@pytest.mark.parametrize("region", ["europe-west2", "europe-west6", "australia-southeast1"])
def test_where_no_multi_region_is_none_is_taken(region: str) -> None:
    """London and Zurich lie in Europe and not in the multi-region EU."""
    assert multi_region(region) is None
