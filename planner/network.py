"""network: what has to be there before all else: ways to a database, addresses, the application."""

from planner import load_balancer, serving
from planner.observed import Observed
from planner.private_access import steps as private_access
from planner.target import Target
from schemas.plan import PartPlan, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return what later parts need to find; often nothing."""
    request = target.request
    named: list[str] = []
    steps: tuple[Step, ...] = ()
    if request.network is not None:
        named.append(f"private addresses in network {request.network.name}")
        steps += private_access(target, request.network)
    if prepared := serving.prepare(target):
        named.append("App Engine application")
        steps += prepared
    if request.load_balancer is not None:
        named.append(f"address of {request.load_balancer.domain}")
        steps += tuple(load_balancer.address(target, request.load_balancer))
    return PartPlan(part="network", summary=" · ".join(named) or "nothing", steps=steps)
