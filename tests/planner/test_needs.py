"""Needs: what others made and a plan is built upon; each says what to do when it is otherwise."""

import pytest

from planner.plan import PARTS
from schemas.plan import Need, PartPlan
from schemas.platform import Platform
from tests.planner import discovery
from tests.planner.compiled import part
from tests.planner.every_body import plans

BALANCED = {"load_balancer": {"domain": "mlflow.risk.example.com", "dns_zone": "zone"}}
PRIVATE = {"placement": "dedicated", "network": {"name": "lab"}}


def parts() -> tuple[PartPlan, ...]:
    """Return the parts that need anything, of everything that is planned anywhere."""
    found = tuple(one for plan in plans().values() for one in plan.parts if one.needs)
    assert found
    return found


def needs(platform: Platform, **request: object) -> dict[str, Need]:
    """Return the needs of the part `network`, by name."""
    return {need.name: need for need in part(platform, "network", **request).needs}


def test_every_need_says_what_to_do() -> None:
    """Whatever is missed: a place of the request, and words with a command that helps."""
    for need in (need for one in parts() for need in one.needs):
        assert need.pointer.startswith("/")
        assert need.absent or need.demands
        for words in filter(None, (need.absent, *(one.otherwise for one in need.demands))):
            assert "gcloud " in words, words
            assert not words.endswith(".")


def test_a_need_is_told_from_its_part_and_from_every_step() -> None:
    """A problem names part and step, and the part alone where both are called the same."""
    for one in parts():
        names = [each.name for each in (*one.needs, *one.steps)]
        assert len(names) == len(set(names))
        assert not {need.name for need in one.needs} & set(PARTS)


def test_what_needs_something_makes_something() -> None:
    """A part without steps is passed over, its needs as well."""
    assert all(one.steps for one in parts())


def test_google_knows_every_question() -> None:
    """Methods and parameters are in Google's documents; nothing but GET is ever sent."""
    for need in (need for one in parts() for need in one.needs):
        discovery.check("GET", need.url, None)


def test_a_zone_holds_what_ends_like_it(platform: Platform) -> None:
    """At a dot: the domain itself, and all above it."""
    _, holds = needs(platform, **BALANCED)["dns_zone"].demands

    assert holds.among == (
        "mlflow.risk.example.com.",
        "risk.example.com.",
        "example.com.",
        "com.",
    )


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (PRIVATE, "lab"),
        ({**PRIVATE, "network": {"name": "lab", "subnetwork": "sub"}}, "sub"),
        (
            {
                **PRIVATE,
                "serving": {"platform": "app_engine"},
                "access": {"mode": "iap"},
                "network": {"name": "lab", "subnetwork": "sub"},
            },
            "sub",
        ),
    ],
)
def test_a_server_is_in_the_subnetwork_that_google_would_take(
    platform: Platform, request_: dict[str, object], named: str
) -> None:
    """Named, or called like the network; it has to be one of the network's."""
    found = needs(platform, **request_)["subnetwork"]

    assert found.url.endswith(f"/regions/europe-west1/subnetworks/{named}")
    (demand,) = found.demands
    assert str(demand.value).endswith("/global/networks/lab")


def test_app_engine_finds_a_subnetwork_by_itself(platform: Platform) -> None:
    """Where none is named there, nothing is demanded."""
    request = {**PRIVATE, "serving": {"platform": "app_engine"}, "access": {"mode": "iap"}}

    assert set(needs(platform, **request)) == {"vpc_network"}


@pytest.mark.parametrize("request_", [{}, {"load_balancer": {"domain": "mlflow.risk.example.com"}}])
def test_what_is_not_named_is_not_needed(platform: Platform, request_: dict[str, object]) -> None:
    """Most deployments are built upon nothing; records elsewhere are their owner's business."""
    assert needs(platform, **request_) == {}
