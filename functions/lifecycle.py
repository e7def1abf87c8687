"""What a request changes about what is wanted, and the execution that follows from it.

Everything here may be repeated: by the caller, by the platform, twenty times at once. spec.json is
written by compare-and-swap, so one of the callers wins and all others read what the winner
wrote; an execution that is started once too often ends at the lease.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from functions import (
    admission,
    deployments,
    events,
    launch,
    logs,
    policy,
    problems,
    registry,
)
from functions.deployments import Known
from schemas.access import member_of
from schemas.deployment import Spec

if TYPE_CHECKING:
    from functions.identity import Caller
    from schemas.deployment import DeploymentRequest
    from schemas.platform import Platform
    from schemas.policy import Policy

# Losing this often against other writers of one small object means that something loops.
_TRIES = 8


def want(asked: DeploymentRequest, caller: Caller, *, platform: Platform, rules: Policy) -> Known:
    """Bring it about that the deployment is wanted, and that an execution works on it.

    Raises:
        ProblemError: 409 when it exists with other content, 403 when the team has no room.
    """
    for _ in range(_TRIES):
        known = deployments.find(asked.name)
        if known is None:
            spec = _new_spec(asked, caller, rules)
            replacing = 0
        elif (reason := _reason_to_begin_again(known, asked, caller, rules)) is None:
            return _ensure_started(known, platform)
        else:
            spec = _next_spec(known, asked, caller, rules)
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


def _new_spec(asked: DeploymentRequest, caller: Caller, rules: Policy) -> Spec:
    policy.require_room(
        asked.team, rules, deployments.count_of_team(asked.team, besides=asked.name)
    )
    now = events.now()
    return Spec(
        name=asked.name,
        generation=1,
        uid=secrets.token_hex(6),
        desired="present",
        request=admission.with_requester(asked, caller.member),
        created_by=caller.email,
        created=now,
        updated=now,
    )


def _next_spec(known: Known, asked: DeploymentRequest, caller: Caller, rules: Policy) -> Spec:
    """Make the spec of another attempt.

    The uid is part of the names of some things. What is still there keeps its name, or nobody
    would find it again; where all is gone a new uid keeps clear of names that Cloud SQL blocks.
    """
    fresh = _new_spec(asked, caller, rules)
    uid = known.spec.uid if registry.has_claims(known.spec.name) else fresh.uid
    return fresh.model_copy(update={"generation": known.spec.generation + 1, "uid": uid})


def _reason_to_begin_again(
    known: Known, asked: DeploymentRequest, caller: Caller, rules: Policy
) -> str | None:
    """Say why a new generation is due; None when the existing one is what is asked for.

    Raises:
        ProblemError: 409 when it can be neither.
    """
    name, state = known.spec.name, known.state
    if state == "DELETED":
        return "it had been deleted"
    _require_same_team(known, asked, caller, rules)
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
    return "its execution ended without a result" if _is_stuck(known) else None


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
