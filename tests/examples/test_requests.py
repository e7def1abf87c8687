"""The requests in examples/ are requests: accepted, planned, and of bodies that Google knows."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner import admission
from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Plan, Request, Resource
from tests.planner import discovery
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.json"))
SEEDS = {
    "appengine-iap",
    "appengine-private",
    "appengine-manual",
    "cloudrun-oauth2-proxy",
    "cloudrun-basic-armor",
    "cloudrun-iap",
    "cloudrun-private",
}

every_example = pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)


def request_of(file: Path) -> DeploymentRequest:
    """Return the request that an example is."""
    return DeploymentRequest.model_validate(json.loads(file.read_text()))


def calls(made: Plan) -> Iterator[Request]:
    """Yield every call to Google that carrying the plan out may send."""
    for part in made.parts:
        for step in part.steps:
            if isinstance(step, Resource):
                sent = (step.create, step.update, *step.remove)
                yield from (call for call in sent if call is not None and call.auth == "OAuth2")


def own(made: Plan) -> Iterator[Resource]:
    """Yield what goes when the deployment goes."""
    for part in made.parts:
        yield from (step for step in part.steps if isinstance(step, Resource) and step.remove)


def test_every_system_of_the_seeds_has_its_example() -> None:
    """Seven requests, one beside the other, and one for MySQL on Cloud Run."""
    assert {file.stem for file in EXAMPLES} == SEEDS | {"cloudrun-mysql"}


@every_example
def test_every_example_is_planned_with_bodies_that_google_knows(file: Path) -> None:
    """Each body is checked against Google's discovery document."""
    request, platform = request_of(file), platform_of()

    found = list(calls(plan(spec_of(request), platform, observed(platform))))

    assert len(found) > 10
    for call in found:
        discovery.check(call.method, call.url, call.body)


@every_example
def test_every_example_is_admitted(file: Path) -> None:
    """An installation as `make up` leaves it has what each of them needs."""
    platform = platform_of(network={"name": "default"}, verify_ranges=["127.0.0.1/32"])

    assert admission.errors(request_of(file), platform) == ()


def test_all_examples_have_room_beside_each_other() -> None:
    """No two of them make one and the same thing, but what is kept for all."""
    platform = platform_of()
    plans = [plan(spec_of(request_of(file)), platform, observed(platform)) for file in EXAMPLES]
    made = Counter(url for each in plans for url in {step.url for step in own(each)})

    assert [url for url, times in made.items() if times > 1] == []
