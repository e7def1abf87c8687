"""network: the way to a private database, and the address that a domain leads to."""

from planner.observed import Observed
from planner.target import Target
from schemas.plan import PartPlan, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return what has to be there before a private database or a certificate; often nothing."""
    steps: tuple[Step, ...] = ()
    return PartPlan(part="network", summary=f"networks of {target.name}", steps=steps)
