"""One part of one request, compiled for the example platform and easy to look into."""

from typing import Any

from planner.plan import plan_part
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant, PartPlan, Resource
from schemas.platform import Platform
from tests.planner.drawn import observed, spec_of

DEDICATED = {"placement": "dedicated", "size": "medium"}
TRAINING = {"training_account": {"impersonated_by": ["group:risk@example.com"]}}
CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
BASIC_AUTH = {"access": {"mode": "basic_auth", "admin_username": "root"}}


def part(platform: Platform, name: str, **request: Any) -> PartPlan:
    """Return the part `name` of a deployment called demo that is otherwise as `request` says."""
    asked = DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})
    return plan_part(spec_of(asked), platform, name, observed(platform))


def resource(plan: PartPlan, name: str) -> Resource:
    """Return the resource of that name."""
    found = next(step for step in plan.steps if step.name == name)
    assert isinstance(found, Resource)
    return found


def grant(plan: PartPlan, name: str) -> Grant:
    """Return the grant of that name."""
    found = next(step for step in plan.steps if step.name == name)
    assert isinstance(found, Grant)
    return found


def body(plan: PartPlan, name: str) -> dict[str, Any]:
    """Return the body that creates the resource of that name."""
    made = resource(plan, name).create.body
    assert made is not None
    return made


def names(plan: PartPlan) -> list[str]:
    """Return the names of the steps, in order."""
    return [step.name for step in plan.steps]
