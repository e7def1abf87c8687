"""network: what has to be there before all else: ways to a database, addresses, the application."""

from planner import load_balancer, private_access, serving
from planner.observed import Observed
from planner.target import Target
from schemas.plan import Need, PartPlan, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return what later parts need to find; often nothing."""
    request = target.request
    named: list[str] = []
    needs: tuple[Need, ...] = ()
    steps: tuple[Step, ...] = ()
    if request.network is not None:
        named.append(f"private addresses in network {request.network.name}")
        needs += private_access.needs(target, request.network)
        steps += private_access.steps(target, request.network)
    if prepared := serving.prepare(target):
        named.append("App Engine application")
        steps += prepared
    if request.load_balancer is not None:
        named.append(f"address of {request.load_balancer.domain}")
        needs += load_balancer.needs(target, request.load_balancer)
        steps += load_balancer.address(target, request.load_balancer)
    summary = " · ".join(named) or "nothing"
    return PartPlan(part="network", summary=summary, needs=needs, steps=steps)
