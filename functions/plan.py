"""plan: compiles one part for the workflow, or says what an error means and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import calls
from functions.calls import PlanCall
from functions.door import http, logs, problems
from functions.door.http import Answer, Route

if TYPE_CHECKING:
    from flask import Request, Response


def compile_part(request: Request) -> Answer:
    """Answer POST: the plan of a part, or the problem behind an error."""
    call, place = calls.received(request, PlanCall)
    if (call.part is None) == (call.error is None):
        raise problems.invalid("either part or error must be given, and not both")
    if call.error is not None:
        # An error is explained whatever has become of the spec: the caller has nobody else to ask.
        return _explained(call.error, call.deployment)
    from planner.observed import NotObservedError
    from planner.plan import UnknownPartError, plan_part
    from planner.target import NotOfferedError

    assert call.part is not None
    spec = calls.wanted(call)
    try:
        planned = plan_part(spec, place, call.part, call.observed)
    except UnknownPartError as error:
        raise problems.invalid(str(error), pointer="/part") from error
    except (NotObservedError, NotOfferedError) as error:
        # The platform or the workflow has changed since the request was admitted.
        raise problems.invalid(str(error), pointer="/observed") from error
    logs.write("INFO", f"planned {call.part}", steps=len(planned.steps))
    return Answer(200, planned.document())


def _explained(error: dict[str, object], deployment: str) -> Answer:
    from planner.remedies import diagnosis

    problem = diagnosis(error, deployment=deployment)
    logs.write("WARNING", "a step failed", problem=problem.type, step=problem.step)
    return Answer(200, problem.document())


ROUTES = (Route("POST", "/", compile_part),)


def plan(request: Request) -> Response:
    """Serve the workflow; the entry point that is deployed."""
    return http.serve("plan", ROUTES, request)
