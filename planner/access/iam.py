"""iam: Google asks who the caller is, before the request reaches the server."""

from planner import grants
from planner.access.entrants import entrants, named
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target
from schemas.access import IamAccess
from schemas.plan import PartPlan

INVOKER = "roles/run.invoker"


def _plan(target: Target, _observed: Observed) -> PartPlan:
    access = target.request.access
    assert isinstance(access, IamAccess)
    policy = grants.of_service(target)
    return PartPlan(
        part="access",
        summary=named(access.members),
        steps=tuple(
            grants.grant(
                policy,
                name,
                role=INVOKER,
                member=member,
                title=f"{member} may call {target.service}",
            )
            for name, member in entrants(target, access.members)
        ),
    )


MODE = Mode(plan=_plan, service=lambda _target: {"invokerIamDisabled": False})
