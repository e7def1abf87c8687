"""load_balancer: the only way in, where one was asked for."""

from planner.observed import Observed
from planner.target import Target
from schemas.plan import PartPlan, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the load balancer from the group of endpoints to the forwarding rule; often nothing."""
    steps: tuple[Step, ...] = ()
    return PartPlan(part="load_balancer", summary=f"load balancer of {target.name}", steps=steps)
