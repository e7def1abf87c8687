"""The calls that only the workflow may make: plan, credentials and verify share this beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from functions.door import audiences, http, identity, logs, problems
from functions.records import platform, registry
from schemas.model import Generation, Model, Name

if TYPE_CHECKING:
    from flask import Request

    from schemas.deployment import Spec
    from schemas.platform import Platform

Credential = Literal[
    "db_password",
    "db_user",
    "admin_password",
    "flask_secret",
    "iap_settings",
    "oauth_client",
    "proxy_config",
    "proxy_members",
]
Observed = dict[str, str | list[str] | None]
C = TypeVar("C", bound="Call")


class Call(Model):
    """What every call names: the deployment, and the generation that the workflow works on."""

    deployment: Name = Field(description="The deployment's name.")
    generation: Generation = Field(description="The generation of the spec.")


class PlanCall(Call):
    """Asks what a part is made of, or what an error means."""

    part: str | None = Field(default=None, description="The part to plan.")
    observed: Observed = Field(default={}, description="What earlier parts learned.")
    error: dict[str, Any] | None = Field(default=None, description="The error to explain.")


class CredentialsCall(Call):
    """Asks for a secret value to be made, or for what only its owner may set with one."""

    credential: Credential = Field(description="Which one.")


class VerifyCall(Call):
    """Asks for the proof that a deployment works."""

    observed: Observed = Field(default={}, description="What the parts learned.")


def received(request: Request, model: type[C]) -> tuple[C, Platform]:
    """Return the call, having checked that it is the workflow that makes it.

    Raises:
        ProblemError: 401 or 403 for everybody else, 400 for what is no such call.
    """
    place = platform.load()
    caller = identity.forwarded(request.headers.get("Authorization"), audiences.own_urls(place))
    if caller.email != place.accounts.workflow.lower():
        raise problems.forbidden(
            f"only {place.accounts.workflow} may call this, and {caller.email} did",
            remedy="People call the api.",
        )
    data = http.json_object(request)
    try:
        call = model.model_validate_json(data)
    except ValidationError as error:
        raise problems.invalid_model(error, model) from error
    logs.bind(deployment=call.deployment, generation=call.generation)
    return call, place


def _execution(name: str) -> str | None:
    """Return the execution that works on a deployment, for the log: it holds the lease."""
    try:
        status = registry.read_status(name)
    except problems.ProblemError:
        # Without it a line is poorer; an answer must not depend on it.
        return None
    return None if status is None else status.document.execution


def wanted(call: Call) -> Spec:
    """Return the spec that the workflow works on.

    Raises:
        ProblemError: 404 when there is none, 409 when a newer one has taken its place.
    """
    logs.bind(execution=_execution(call.deployment))
    stored = registry.read_spec(call.deployment)
    if stored is None:
        raise problems.not_found(f"there is no deployment called {call.deployment}")
    spec = stored.document
    if spec.generation != call.generation or spec.desired != "present":
        raise problems.make(
            "overtaken",
            f"generation {call.generation} of {call.deployment} is no longer wanted; "
            f"generation {spec.generation} is, {spec.desired}",
        )
    return spec
