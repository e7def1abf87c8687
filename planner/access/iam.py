"""iam: Google asks who the caller is, before the request reaches the server."""

from planner import grants
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target, account
from schemas.access import IamAccess
from schemas.plan import Grant, PartPlan

INVOKER = "roles/run.invoker"


def _plan(target: Target, _observed: Observed) -> PartPlan:
    access = target.request.access
    assert isinstance(access, IamAccess)
    policy = grants.of_service(target)
    verify = account(target.platform.accounts.verify)
    members = [member for member in access.members if member != verify]
    return PartPlan(
        part="access",
        summary=f"{', '.join(members[:3]) or 'nobody yet'}{' …' if len(members) > 3 else ''}",  # noqa: PLR2004 - as many as fit in a line
        steps=(
            _enter(target, policy, "verify_may_enter", member=verify),
            *(
                _enter(target, policy, f"member_{number}_may_enter", member=member)
                for number, member in enumerate(members, start=1)
            ),
        ),
    )


def _enter(target: Target, policy: grants.Policy, name: str, *, member: str) -> Grant:
    return grants.grant(
        policy, name, role=INVOKER, member=member, title=f"{member} may call {target.service}"
    )


MODE = Mode(plan=_plan, service={"invokerIamDisabled": False})
