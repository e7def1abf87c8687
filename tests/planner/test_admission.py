"""Admission: what this platform does not have is refused with what it has."""

from typing import Any

import pytest

from planner import admission
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform


def refusals(platform: Platform, **request: Any) -> dict[str, str]:
    """Return the refusals of a request, by place."""
    asked = DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})
    return {error.pointer: error.message for error in admission.errors(asked, platform)}


def test_the_smallest_request_is_admitted(platform: Platform) -> None:
    """A name and a team are enough."""
    assert refusals(platform) == {}


REFUSED = [
    ({"region": "asia-east1"}, "/region", "must be one of europe-west1, us-central1"),
    ({"mlflow_version": "3.0.0"}, "/mlflow_version", "must be one of 2.22.5, 3.17.2"),
    ({"region": "us-central1"}, "/placement", "use placement dedicated, or region europe-west1"),
    ({"region": "us-central1"}, "/region", "contradict each other"),
    (
        {"region": "australia-southeast1", "artifact_location": "multi_region"},
        "/artifact_location",
        "use artifact_location region, or a region in the US, the EU or Asia",
    ),
    (
        {"serving": {"platform": "cloud_run", "max_instances": 6}},
        "/serving/max_instances",
        "use at most 5 instances, or a larger size",
    ),
    (
        {"serving": {"platform": "cloud_run", "max_instances": 6}},
        "/size",
        "6 instances and size small contradict each other",
    ),
    (
        {"serving": {"platform": "cloud_run", "min_instances": 9}},
        "/serving/min_instances",
        "use at most 5 instances",
    ),
    (
        {"size": "large", "serving": {"platform": "cloud_run", "max_instances": 20}},
        "/serving/max_instances",
        "use at most 10 instances",
    ),
]


@pytest.mark.parametrize(("request_", "place", "words"), REFUSED)
def test_a_refusal_says_what_would_work(
    platform: Platform, request_: dict[str, Any], place: str, words: str
) -> None:
    """The pointer leads to the option, the message to the way out."""
    assert words in refusals(platform, **request_)[place]


def test_everything_wrong_is_said_at_once(platform: Platform) -> None:
    """One answer for all mistakes, not one per attempt."""
    found = refusals(platform, region="asia-east1", mlflow_version="1.0.0")
    assert found.keys() == {"/region", "/mlflow_version"}


def test_the_largest_size_is_not_told_to_grow(platform: Platform) -> None:
    """There is no larger size than large."""
    serving = {"platform": "cloud_run", "max_instances": 20}
    assert "larger" not in refusals(platform, size="large", serving=serving)["/size"]
