"""Plan: the parts in order, each compiled by its own module."""

from collections.abc import Callable, Mapping

from planner import (
    access,
    artifact_root,
    backend_store,
    identity,
    image,
    load_balancer,
    network,
    schema,
    serving,
)
from planner.observed import PLACEHOLDERS, Observed
from planner.target import Target
from schemas.deployment import Spec
from schemas.plan import PartPlan, Plan
from schemas.platform import Platform

PARTS: Mapping[str, Callable[[Target, Observed], PartPlan]] = {
    "identity": identity.plan,
    "network": network.plan,
    "domain": load_balancer.domain,
    "image": image.plan,
    "backend_store": backend_store.plan,
    "artifact_root": artifact_root.plan,
    "schema": schema.plan,
    "tracking_server": serving.plan,
    "load_balancer": load_balancer.plan,
    "access": access.plan,
}
"""The parts in the order of making them. image, backend_store and artifact_root need nothing of
each other and may be made at the same time."""


class UnknownPartError(ValueError):
    """Somebody asked for a part that deployments do not have."""


def plan_part(spec: Spec, platform: Platform, part: str, observed: Observed) -> PartPlan:
    """Return the steps of one part; the same arguments always give the same answer."""
    compile_part = PARTS.get(part)
    if compile_part is None:
        raise UnknownPartError(f"there is no part {part}; the parts are {', '.join(PARTS)}")
    return compile_part(Target(spec, platform), observed)


def plan(spec: Spec, platform: Platform, observed: Observed | None = None) -> Plan:
    """Return everything a deployment is made of; what is not known yet is said in words."""
    known = {**PLACEHOLDERS, **(observed or {})}
    return Plan(
        deployment=spec.name,
        generation=spec.generation,
        parts=tuple(plan_part(spec, platform, part, known) for part in PARTS),
    )
