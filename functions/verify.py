"""verify: proves that a deployment works, by using it from outside.

MLflow's /health answers 200 while every real call fails, so READY is given for a stranger who was
refused, a run that was logged and an artifact that came back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from functions import calls, http, logs
from functions.calls import VerifyCall
from functions.http import Answer, Route
from functions.verification import browser, entrance, tracking
from functions.verification.check import CheckFailedError
from functions.verification.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Request, Response

    from functions.verification.check import Check
    from planner.target import Target

# What people read about a proof that succeeded; the other checks are details of these.
_WORTH_TELLING = ("stranger refused", "run logged", "artifact came back")


def prove(request: Request) -> Answer:
    """Answer POST: every check that was made, and whether trying again can help."""
    from planner.target import Target

    call, place = calls.received(request, VerifyCall)
    target = Target(calls.wanted(call), place)
    checks, retry = _checked(target, _urls(target, call))
    ok = all(check.ok for check in checks)
    answer: dict[str, Any] = {
        "ok": ok,
        "retry": retry,
        "checks": [check.document() for check in checks],
        "summary": _summary(checks),
    }
    logs.write("INFO" if ok else "WARNING", answer["summary"], retry=retry)
    return Answer(200, answer)


def _checked(target: Target, urls: list[str]) -> tuple[list[Check], bool]:
    """Make one check after the other; the first that fails ends the proof."""
    checks: list[Check] = []
    try:
        checks.extend(_checks(target, urls))
    except CheckFailedError as error:
        return [*checks, error.check], error.check.retry
    return checks, False


def _checks(target: Target, urls: list[str]) -> Iterator[Check]:
    way_in = entrance.entrance(target)
    version = target.request.mlflow_version
    for url in urls:
        yield entrance.refuses_strangers(url, way_in)
    for url in urls:
        member = Visitor(url, partial(way_in.member, url))
        yield tracking.runs_the_planned_version(member, version)
        yield browser.opens(member)
        yield browser.refuses_foreign_pages(member, version)
    yield from tracking.keeps_runs_and_artifacts(Visitor(urls[0], partial(way_in.member, urls[0])))


def _urls(target: Target, call: VerifyCall) -> list[str]:
    """Return every address of the server: what Cloud Run reports, else what was planned."""
    seen = call.observed.get("urls")
    if isinstance(seen, list) and seen:
        return seen
    return [f"https://{host}" for host in target.hosts]


def _summary(checks: list[Check]) -> str:
    wrong = [check for check in checks if not check.ok]
    if wrong:
        return f"not proved: {wrong[0].name}: {wrong[0].detail}"[:500]
    names = {check.name for check in checks}
    return " · ".join(name for name in _WORTH_TELLING if name in names)


ROUTES = (Route("POST", "/", prove),)


def verify(request: Request) -> Response:
    """Serve the workflow; the entry point that is deployed."""
    return http.serve("verify", ROUTES, request)
