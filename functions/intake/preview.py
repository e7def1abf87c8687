"""The plan of a request before anything is made.

Shown on demand, and made for every request: what cannot be planned is refused while the caller
still listens, and not by an execution minutes later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.door import problems
from functions.intake import admission

if TYPE_CHECKING:
    from functions.door.identity import Caller
    from schemas.deployment import DeploymentRequest
    from schemas.plan import Plan
    from schemas.platform import Platform

# Stands for the random part of some names until there is a deployment that has one.
UID = "00000000"


def of(asked: DeploymentRequest, caller: Caller, *, platform: Platform) -> Plan:
    """Plan all parts of a deployment that does not exist yet.

    Raises:
        ProblemError: 400 when the platform does not have what is asked for.
    """
    from planner import notes
    from planner.plan import plan
    from planner.target import NotOfferedError, Target

    spec = admission.first_spec(asked, caller, uid=UID)
    try:
        made = plan(spec, platform)
    except NotOfferedError as error:
        raise problems.invalid(str(error)) from error
    # What is left empty is not made, and nobody is told of it.
    parts = tuple(part for part in made.parts if part.steps)
    told = notes.of(Target(spec, platform), ready=False)
    return made.model_copy(update={"parts": parts, "notes": told})
