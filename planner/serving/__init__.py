"""tracking_server: what people and trainings talk to. One module per platform, found in a table."""

from collections.abc import Callable

from planner.observed import Observed
from planner.serving import cloud_run
from planner.target import Target
from schemas.plan import PartPlan

PLATFORMS: dict[str, Callable[[Target, Observed], PartPlan]] = {"cloud_run": cloud_run.plan}


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the server on the platform that was asked for."""
    return PLATFORMS[target.request.serving.platform](target, observed)
