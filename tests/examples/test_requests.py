"""The requests in examples/ are requests: accepted, planned, and of bodies that Google knows."""

import json
from pathlib import Path

import pytest

from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Resource
from tests.planner import discovery
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_example_is_planned_with_bodies_that_google_knows(file: Path) -> None:
    """Each body is checked against Google's discovery document."""
    request = DeploymentRequest.model_validate(json.loads(file.read_text()))
    platform = platform_of()

    made = plan(spec_of(request), platform, observed(platform))

    calls = [
        call
        for part in made.parts
        for step in part.steps
        if isinstance(step, Resource)
        for call in (step.create, step.update, *step.remove)
        if call is not None and call.auth == "OAuth2"
    ]
    assert len(calls) > 10
    for call in calls:
        discovery.check(call.method, call.url, call.body)
