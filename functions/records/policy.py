"""Who may do what: membership of teams, and the limits of each team.

A function knows a caller by the verified e-mail address alone. Members are therefore named as
``user:``, ``serviceAccount:`` or ``domain:``; a group would need a directory to look into, and the
schema of the policy refuses one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.door import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

    from functions.door.identity import Caller
    from schemas.deployment import DeploymentRequest
    from schemas.policy import Limits, Policy


def is_named(caller: Caller, principals: Iterable[str]) -> bool:
    """Say whether one of the principals is the caller, by address or by domain."""
    names = {caller.member.lower(), f"domain:{caller.domain}"}
    if caller.member.startswith("serviceAccount:"):
        # A service account is no person of its project's domain.
        names = {caller.member.lower()}
    return any(principal.lower() in names for principal in principals)


def is_admin(caller: Caller, policy: Policy) -> bool:
    """Say whether the caller may do everything for every team."""
    return is_named(caller, policy.admins)


def teams_of(caller: Caller, policy: Policy) -> frozenset[str]:
    """Return the teams whose deployments the caller may see."""
    if is_admin(caller, policy):
        return frozenset(policy.teams)
    return frozenset(name for name, team in policy.teams.items() if is_named(caller, team.members))


def require_member(caller: Caller, team: str, policy: Policy) -> None:
    """Refuse who is neither a member of the team nor an admin.

    Raises:
        ProblemError: 403, naming the rule.
    """
    if is_admin(caller, policy) or team in teams_of(caller, policy):
        return
    own = ", ".join(sorted(teams_of(caller, policy))) or "none"
    raise problems.forbidden(
        f"the caller {caller.email} is not a member of the team {team}; teams of the caller: {own}",
        remedy=(
            f"An admin adds {caller.member} to teams.{team}.members in policy.yaml. Groups cannot "
            "be named there, since a function cannot look into them."
        ),
    )


def limits_of(team: str, policy: Policy) -> Limits:
    """Return the limits of a team: its own, or those for all."""
    rule = policy.teams.get(team)
    return policy.limits if rule is None or rule.limits is None else rule.limits


def require_allowed(request: DeploymentRequest, policy: Policy) -> None:
    """Refuse a size, a region or a placement that the team may not have.

    Raises:
        ProblemError: 403, naming the limit and what it allows.
    """
    limits = limits_of(request.team, policy)
    for rule, wanted, allowed in (
        ("sizes", request.size, limits.sizes),
        ("regions", request.region, limits.regions),
        ("placements", request.placement, limits.placements),
    ):
        if allowed is not None and wanted not in allowed:
            raise _limit(request.team, rule, f"allows {', '.join(allowed) or 'none'}, not {wanted}")


def require_room(team: str, policy: Policy, count: int) -> None:
    """Refuse one more deployment when the team already has as many as it may.

    Raises:
        ProblemError: 403, naming the limit.
    """
    most = limits_of(team, policy).deployments
    if count >= most:
        raise _limit(team, "deployments", f"is {most}, and {count} exist")


def _limit(team: str, rule: str, says: str) -> problems.ProblemError:
    return problems.make(
        "limit-reached",
        f"the limit {rule} of the team {team} {says}",
        remedy="Choose otherwise, delete what is no longer needed, or ask an admin to change "
        f"limits.{rule} in policy.yaml.",
    )
