"""Whose a domain is: one object per domain in the registry, written by compare-and-swap.

Google would refuse the second one minutes later, and only where both are in one project's
Certificate Manager. The promise is made before the spec is written, so of two that ask at the same
moment one is told. Nobody gives a promise back: it ends when its deployment wants the
domain no more, and whoever asks next takes it over.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.door import problems
from functions.records import deployments, events, policy, registry
from schemas.domain import DomainHolder
from schemas.problem import FieldError

if TYPE_CHECKING:
    from functions.door.identity import Caller
    from functions.records.deployments import Known
    from schemas.deployment import DeploymentRequest
    from schemas.policy import Policy

# Longer than any request takes from the promise to the spec that it is made for.
_FRESH = timedelta(minutes=2)
# As in lifecycle.py: losing this often means that something loops.
_TRIES = 8
_PAUSE = 0.5


def reserve(asked: DeploymentRequest, caller: Caller, rules: Policy) -> None:
    """Promise a domain to the deployment that asks for it, if it asks for any.

    Raises:
        ProblemError: 409 when another deployment has it.
    """
    if asked.load_balancer is None:
        return
    domain = asked.load_balancer.domain
    for _ in range(_TRIES):
        generation = _free(domain, asked, caller, rules)
        if generation is None:
            time.sleep(_PAUSE)
            continue
        holder = DomainHolder(deployment=asked.name, since=events.now())
        try:
            registry.write_holder(domain, holder, replacing=generation)
        except registry.OvertakenError:
            continue
        return
    raise problems.unavailable(f"somebody else is asking for the domain {domain} just now")


def require_free(asked: DeploymentRequest, caller: Caller, rules: Policy) -> None:
    """Refuse a domain that another deployment has, and promise nothing.

    Raises:
        ProblemError: 409 that says who has it.
    """
    if asked.load_balancer is not None:
        _free(asked.load_balancer.domain, asked, caller, rules)


def _free(domain: str, asked: DeploymentRequest, caller: Caller, rules: Policy) -> int | None:
    """Return the generation of the object that may be replaced, 0 when there is none.

    None while nobody knows: somebody was promised the domain and has not written the spec yet.
    """
    stored = registry.read_holder(domain)
    if stored is None:
        return 0
    holder = stored.document
    if holder.deployment == asked.name:
        return stored.generation
    other = deployments.find(holder.deployment)
    if other is not None and _wants(other, domain):
        raise _taken(domain, other, caller, rules)
    used = other is not None and other.spec.updated >= holder.since
    # After a while the request that would have used it has died.
    fresh = events.now() - holder.since < _FRESH
    return None if fresh and not used else stored.generation


def _wants(known: Known, domain: str) -> bool:
    balancer = known.spec.request.load_balancer
    if balancer is None or balancer.domain != domain or known.state == "DELETED":
        return False
    # Of one that was rolled back nothing is there; asked for again, it would ask here first.
    return known.state != "FAILED" or registry.has_claims(known.spec.name)


def _taken(domain: str, other: Known, caller: Caller, rules: Policy) -> problems.ProblemError:
    name = other.spec.name
    whose = f"the deployment {name} ({other.state})"
    remedy = f"DELETE {name} first and send the request again when GET says DELETED"
    if other.spec.request.team not in policy.teams_of(caller, rules):
        # Nothing is told of deployments that the caller may not see.
        whose, remedy = "a deployment of another team", "ask an admin, who sees whose it is"
    words = f"the domain {domain} belongs to {whose}, and a domain leads to one deployment"
    return problems.make(
        "domain-taken",
        words,
        remedy=f"Choose another domain, or {remedy}.",
        errors=(FieldError(pointer="/load_balancer/domain", message=words),),
    )
