"""Preflight: a look at what a request is built upon, while the caller still listens.

The plan says what must be there already, and how. What is not as needed would fail the deployment a
minute later, in the workflow's first look; here it is said before there is a deployment. What this
function's account cannot see, today or at all, is left to that look.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.cloud import clients
from functions.door import logs, problems
from schemas.plan import Resource
from schemas.problem import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.plan import Need, Plan

# The caller waits for each: whatever does not answer at once is looked at by the workflow.
_TIMEOUT = 5.0


@dataclass(frozen=True)
class _Seen:
    body: dict[str, Any] | None
    """None when there is nothing."""


def check(plan: Plan) -> None:
    """Look at everything that a plan needs and does not make.

    Raises:
        ProblemError: 409 with every place of the request that asks for what is not as needed.
    """
    errors = tuple(_errors(plan))
    if not errors:
        return
    messages = [error.message for error in errors]
    raise problems.make(
        "not-as-needed",
        messages[0]
        if len(messages) == 1
        else f"{len(messages)} things that the request is built upon are not as needed; see errors",
        cause=" · ".join(messages),
        remedy="Nothing was made. Do what is said there, then send the same request again; or "
        "ask for something else.",
        errors=errors,
    )


def _errors(plan: Plan) -> Iterator[FieldError]:
    for part in plan.parts:
        told: set[str] = set()
        for need in part.needs:
            option = need.pointer.rsplit("/", 1)[0]
            words = _missed(need) if option not in told else None
            if words is not None:
                # What else is wrong with the same option follows from it, mostly.
                told.add(option)
                yield FieldError(pointer=need.pointer, message=f"{need.title} - {words}")
        for step in part.steps:
            words = _unmet(step) if isinstance(step, Resource) else None
            if words is not None:
                yield FieldError(pointer="", message=f"{step.title} - {words}")


def _missed(need: Need) -> str | None:
    from planner.demands import missed

    seen = _seen(need)
    return None if seen is None else missed(need, seen.body)


def _unmet(step: Resource) -> str | None:
    """Return what is wrong with a thing that all share; one that is missing is made."""
    from planner.demands import unmet

    if not (step.keep and step.demands):
        return None
    seen = _seen(step)
    return None if seen is None or seen.body is None else unmet(step.demands, seen.body)


def _seen(one: Need | Resource) -> _Seen | None:
    """Return what is there; None when this account cannot tell."""
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        answer = clients.session().get(one.url, timeout=_TIMEOUT)
        if answer.status_code == HTTPStatus.OK:
            return _Seen(answer.json())
    except (GoogleAuthError, RequestException) as error:
        logs.write("WARNING", f"could not look at {one.title}", cause=str(error)[:500])
        return None
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return _Seen(None)
    cause = f"{answer.status_code}: {answer.text[:500]}"
    logs.write("WARNING", f"could not look at {one.title}", cause=cause)
    return None
