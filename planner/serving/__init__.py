"""tracking_server: what people and trainings talk to. One module per platform, found in a table."""

from collections.abc import Callable
from dataclasses import dataclass

from planner.observed import Observed
from planner.serving import app_engine, cloud_run
from planner.target import Target
from schemas.plan import PartPlan, Step


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What a platform brings to the parts of a deployment."""

    plan: Callable[[Target, Observed], PartPlan]
    """The part `tracking_server`."""
    prepare: Callable[[Target], tuple[Step, ...]] = lambda _target: ()
    """Steps of the part `network`, which comes before everything that costs time."""


PLATFORMS: dict[str, Platform] = {
    "app_engine": Platform(plan=app_engine.plan, prepare=app_engine.prepare),
    "cloud_run": Platform(plan=cloud_run.plan),
}


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the server on the platform that was asked for."""
    return PLATFORMS[target.request.serving.platform].plan(target, observed)


def prepare(target: Target) -> tuple[Step, ...]:
    """Return what the platform must have before anything else is made."""
    return PLATFORMS[target.request.serving.platform].prepare(target)
