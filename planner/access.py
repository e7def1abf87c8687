"""access: who may enter. One function per access mode, found in a table."""

from collections.abc import Callable

from planner import grants, secret
from planner.observed import Observed
from planner.target import Target, account
from schemas.access import BasicAuth, IamAccess, member_of
from schemas.plan import Grant, PartPlan

INVOKER = "roles/run.invoker"


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the grants that let the members in, and verify with them."""
    return MODES[target.request.access.mode](target)


def _by_iam(target: Target) -> PartPlan:
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


def _by_password(target: Target) -> PartPlan:
    access = target.request.access
    assert isinstance(access, BasicAuth)
    policy = grants.of_secret(target, "admin-password")
    requester = member_of(target.spec.created_by)
    return PartPlan(
        part="access",
        summary=f"login {access.admin_username}, password in {target.secret('admin-password')}",
        steps=(
            # Everybody reaches the login; verify needs the password to prove that it opens.
            grants.grant(
                policy,
                "verify_may_read_admin_password",
                role=secret.ACCESSOR,
                member=account(target.platform.accounts.verify),
                title=f"verify may read {target.secret('admin-password')}",
            ),
            # The first login is made with it; whoever asked hands it on as the team sees fit.
            grants.grant(
                policy,
                "requester_may_read_admin_password",
                role=secret.ACCESSOR,
                member=requester,
                title=f"{requester} may read {target.secret('admin-password')}",
            ),
        ),
    )


MODES: dict[str, Callable[[Target], PartPlan]] = {"iam": _by_iam, "basic_auth": _by_password}
