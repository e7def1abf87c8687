"""What a request changes about what is wanted, and the execution that follows from it.

Everything here may be repeated: by the caller, by the platform, twenty times at once. spec.json is
written by compare-and-swap, so one of the callers wins and all others read what the winner
wrote; an execution that is started once too often ends at the lease.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.door import logs, problems
from functions.intake import admission, domains, launch, preflight
from functions.records import deployments, events, policy, registry
from functions.records.deployments import Known
from functions.secrets import brought
from schemas.access import member_of

if TYPE_CHECKING:
    from functions.door.identity import Caller
    from planner.target import Target
    from schemas.deployment import DeploymentRequest, Spec
    from schemas.plan import Plan
    from schemas.platform import Platform
    from schemas.policy import Policy

# Losing this often against other writers of one small object means that something loops.
_TRIES = 8


@dataclass(frozen=True)
class _Wish:
    """What somebody asks for, and all that the answer depends on."""

    asked: DeploymentRequest
    caller: Caller
    platform: Platform
    rules: Policy
    plan: Plan


def want(
    asked: DeploymentRequest, caller: Caller, *, platform: Platform, rules: Policy, plan: Plan
) -> Known:
    """Bring it about that the deployment is wanted, and that an execution works on it.

    Raises:
        ProblemError: 409 when it exists with other content, another has its domain or something it
            is built upon is not as needed; 403 when the team has no room.
    """
    wish = _Wish(asked, caller, platform, rules, plan)
    for _ in range(_TRIES):
        known = deployments.find(asked.name)
        if known is None:
            spec = _new_spec(wish)
            replacing = 0
        elif (reason := _reason_to_begin_again(known, wish)) is None:
            return _ensure_started(known, platform)
        else:
            spec = _next_spec(known, wish)
            replacing = known.spec_generation
            logs.write("INFO", f"begins again: {reason}", generation=spec.generation)
        before = known if known is not None and known.is_watched else None
        try:
            return _written(spec, platform, replacing=replacing, by=caller.email, before=before)
        except registry.OvertakenError:
            logs.write("INFO", "somebody else was first; reading again")
    raise problems.unavailable(f"the deployment {asked.name} changes faster than it can be read")


def unwant(known: Known, caller: Caller, *, platform: Platform) -> Known:
    """Bring it about that the deployment is not wanted; what is running for it is cancelled."""
    for _ in range(_TRIES):
        # Read anew in each round: after a defeat, what was known no longer is.
        if known.spec.desired == "absent" and not _is_stuck(known):
            return _ensure_started(known, platform)
        spec = known.spec.model_copy(
            update={
                "desired": "absent",
                "generation": known.spec.generation + 1,
                "updated": events.now(),
            }
        )
        try:
            written = _written(
                spec, platform, replacing=known.spec_generation, by=caller.email, before=known
            )
        except registry.OvertakenError:
            found = deployments.find(known.spec.name)
            if found is None:
                raise problems.not_found(f"there is no deployment {known.spec.name}") from None
            known = found
        else:
            return Known(written.spec, written.spec_generation, known.status)
    raise problems.unavailable(f"the deployment {known.spec.name} changes faster than it is read")


def rehearse(
    asked: DeploymentRequest, caller: Caller, *, platform: Platform, rules: Policy, plan: Plan
) -> None:
    """Look at everything that `want` would look at, and change nothing.

    Raises:
        ProblemError: As `want`.
    """
    wish = _Wish(asked, caller, platform, rules, plan)
    known = deployments.find(asked.name)
    if known is not None and _reason_to_begin_again(known, wish) is None:
        return
    _require_room(wish)
    preflight.check(plan)
    domains.require_free(asked, caller, rules)
    brought.newest(_target(_spec(wish), platform))


def _new_spec(wish: _Wish) -> Spec:
    _require_room(wish)
    preflight.check(wish.plan)
    domains.reserve(wish.asked, wish.caller, wish.rules)
    spec = _spec(wish)
    return spec.model_copy(update={"brought": brought.newest(_target(spec, wish.platform))})


def _require_room(wish: _Wish) -> None:
    team = wish.asked.team
    count = deployments.count_of_team(team, besides=wish.asked.name)
    policy.require_room(team, wish.rules, count)


def _spec(wish: _Wish) -> Spec:
    asked, caller = wish.asked, wish.caller
    admission.require_somebody(asked, caller.member)
    return admission.first_spec(asked, caller, uid=secrets.token_hex(6))


def _target(spec: Spec, platform: Platform) -> Target:
    from planner.target import Target

    return Target(spec, platform)


def _next_spec(known: Known, wish: _Wish) -> Spec:
    """Make the spec of another attempt.

    The uid is part of the names of some things. What is still there keeps its name, or nobody
    would find it again; where all is gone a new uid keeps clear of names that Cloud SQL blocks.
    """
    fresh, before = _new_spec(wish), known.spec
    there = registry.has_claims(before.name)
    again: dict[str, object] = {"generation": before.generation + 1}
    if there:
        proved = known.state == "READY" or known.is_watched
        again |= {"uid": before.uid, "kept": before.kept or proved}
        if before.kept or proved:
            # Whoever repeats a request for what is there is not the one who made it.
            again |= {"created_by": before.created_by, "created": before.created}
            again |= {"request": _as_first_asked(known, wish.asked)}
    return fresh.model_copy(update=again)


def _reason_to_begin_again(known: Known, wish: _Wish) -> str | None:
    """Say why a new generation is due; None when the existing one is what is asked for.

    Raises:
        ProblemError: 409 when it can be neither.
    """
    asked = wish.asked
    name, state = known.spec.name, known.state
    if state == "DELETED":
        return "it had been deleted"
    _require_same_team(known, asked, wish.caller, wish.rules)
    if known.spec.desired == "absent":
        raise problems.make(
            "conflict",
            f"the deployment {name} is being removed ({state})",
            remedy="Send the request again when GET says DELETED."
            if state != "FAILED"
            else "Its removal failed: send DELETE again, then this request.",
            instance=f"/v1/deployments/{name}",
            headers={"Retry-After": "10"},
        )
    different = admission.differences(known.spec.request, _as_first_asked(known, asked))
    # Other content is only safe where nothing is left that it would have to be changed into.
    if state == "FAILED" and not (different and registry.has_claims(name)):
        return "it had failed"
    if different:
        raise problems.make(
            "conflict",
            f"the deployment {name} exists ({state}) with other content: "
            + ", ".join(error.pointer for error in different),
            remedy="Changing a deployment will be PATCH, which this version does not have yet. "
            "Send the same content, choose another name, or DELETE it first.",
            errors=different,
            instance=f"/v1/deployments/{name}",
        )
    if _is_stuck(known):
        return "its execution ended without a result"
    return "a secret that it was brought is newer" if _is_outdated(known, wish) else None


def _is_outdated(known: Known, wish: _Wish) -> bool:
    """Say whether a deployment that works was made with older versions of what it was brought."""
    if known.state != "READY":
        # The attempt that is under way is not disturbed; the next repeat looks again.
        return False
    try:
        newest = brought.newest(_target(known.spec, wish.platform))
    except problems.ProblemError as error:
        # It works with what it has; a repeat of its request is no reason to look for trouble.
        logs.write("WARNING", "a brought secret cannot be used", cause=error.problem.detail)
        return False
    return bool(newest) and newest != known.spec.brought


def _as_first_asked(known: Known, asked: DeploymentRequest) -> DeploymentRequest:
    """Complete a request as the first one was completed, whoever of the team repeats it."""
    return admission.with_requester(asked, member_of(known.spec.created_by))


def _require_same_team(
    known: Known, asked: DeploymentRequest, caller: Caller, rules: Policy
) -> None:
    owner = known.spec.request.team
    if owner != asked.team and owner not in policy.teams_of(caller, rules):
        raise problems.make(
            "name-taken",
            f"the name {known.spec.name} is taken by another team",
            remedy="Choose another name.",
        )


def _is_stuck(known: Known) -> bool:
    """Say whether an execution held the lease and is gone without having said how it ended."""
    status = known.status
    if status is None or not known.is_begun:
        return False
    if known.spec.desired == "absent" and status.state == "FAILED":
        return True
    if status.state not in deployments.AT_WORK or status.execution is None:
        return False
    if launch.is_running(status.execution):
        return False
    # It may have ended well between our two looks.
    now = registry.read_status(known.spec.name)
    return now is not None and now.document == status


def _ensure_started(known: Known, platform: Platform) -> Known:
    """Start an execution if none has the lease, or none watches the domain any more."""
    execution = None if known.status is None else known.status.execution
    # One that cannot do all of it alone lets go of the lease, and may not live to start the next.
    let_go = execution is None and known.state in deployments.AT_WORK
    logs.bind(execution=execution)
    nobody_watches = (
        known.is_watched
        and known.state == "READY"
        and execution is not None
        and not launch.is_running(execution)
    )
    if not known.is_begun or let_go or nobody_watches:
        _start(known.spec, platform)
    return known


def _written(
    spec: Spec, platform: Platform, *, replacing: int, by: str, before: Known | None = None
) -> Known:
    generation = registry.write_spec(spec, replacing=replacing)
    known = Known(spec, generation, None)
    events.announce(spec, known.state, platform, by=by)
    if before is not None:
        _stop_what_runs(before, platform)
    _start(spec, platform)
    return known


def _start(spec: Spec, platform: Platform) -> None:
    try:
        launch.start(spec, platform)
    except problems.of_google() as error:
        # What is wanted is on record, so the same request again only starts what is missing.
        raise problems.unavailable(
            f"the wish is on record as generation {spec.generation}, but the workflow could not "
            "be started",
            cause=str(error)[:1000],
        ) from error


def _stop_what_runs(known: Known, platform: Platform) -> None:
    """Cancel the execution and the builds of what is no longer wanted.

    Failing here is no reason to fail the request: the teardown waits for the older execution to
    end and takes the lease then.
    """
    status = known.status
    if status is None or status.execution is None:
        return
    if known.state not in deployments.AT_WORK and not known.is_watched:
        return
    try:
        launch.cancel(status.execution)
        if known.state in deployments.AT_WORK:
            launch.cancel_builds(known.spec.name, platform)
    except problems.of_google() as error:
        logs.write("WARNING", "could not cancel all that runs", cause=str(error)[:500])
