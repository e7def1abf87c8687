"""Armor: from where callers may come to the door."""

from collections.abc import Sequence
from typing import Any

from planner import compute, marks
from planner.target import Target
from schemas.plan import Check, Request, Resource

MOST_RANGES = 10
"""As many as one rule can hold."""

LAST = 2147483647
"""The priority of the rule for everybody else, without which Google adds one that allows all."""


def steps(target: Target) -> tuple[Resource, ...]:
    """Return the policy; none where everybody may come.

    A policy that allows all would be paid for and change nothing: who the caller is, the access
    mode asks in any case.
    """
    rules = _rules(target)
    if not rules:
        return ()
    name = _name(target, rules)
    return (
        compute.resource(
            target,
            # A policy with other rules is another step: both stay on record until both are gone.
            name[len(target.service) + 1 :].replace("-", "_"),
            title=f"security policy {name}",
            collection="securityPolicies",
            called=name,
            body={"type": "CLOUD_ARMOR", "rules": rules},
        ),
    )


def attachment(target: Target) -> tuple[Resource, ...]:
    """Return the step that puts the policy before the backend service, where there is one."""
    rules = _rules(target)
    if not rules:
        return ()
    policy = compute.link(target, "securityPolicies", _name(target, rules))
    where = compute.url(target, "backendServices", target.service)
    return (
        Resource(
            name="backend_policy",
            title=f"security policy of backend service {target.service}",
            url=where,
            # The field is output only where the service is made, so it is set by a call of its own.
            exists=Check(path=("securityPolicy",), value=policy),
            mark=compute.owned(target),
            create=Request(
                method="POST",
                url=f"{where}/setSecurityPolicy",
                body={"securityPolicy": policy},
            ),
            operation=compute.operations(target),
            within="backend_service",
        ),
    )


def _name(target: Target, rules: list[dict[str, Any]]) -> str:
    """Return a name that other rules would not have, so that no policy ever has to be changed."""
    return f"{target.service}-policy-{marks.digest({'rules': rules})}"


def _rules(target: Target) -> list[dict[str, Any]]:
    balancer = target.request.load_balancer
    if balancer is None or not balancer.allowed_ranges:
        return []
    # Berth's own proof comes to the door, too.
    allowed = (*_pieces(balancer.allowed_ranges), *_pieces(target.platform.verify_ranges))
    return [
        *(
            _rule(1000 + number, "allow", ranges, "may come to the door")
            for number, ranges in enumerate(allowed)
        ),
        _rule(LAST, "deny(403)", ["*"], "everybody else"),
    ]


def _pieces(ranges: Sequence[str]) -> list[list[str]]:
    return [
        list(ranges[start : start + MOST_RANGES]) for start in range(0, len(ranges), MOST_RANGES)
    ]


def _rule(priority: int, action: str, ranges: list[str], words: str) -> dict[str, Any]:
    return {
        "priority": priority,
        "action": action,
        "description": words,
        "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ranges}},
    }
