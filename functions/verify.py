"""verify: proves that a deployment works, by using it from outside.

MLflow's /health answers 200 while every real call fails, so READY is given for strangers who were
refused, a run that was logged and an artifact that came back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from functions import calls
from functions.calls import VerifyCall
from functions.door import http, logs
from functions.door.http import Answer, Route
from functions.verification import browser, domain, entrances, side_doors, standpoint, tracking
from functions.verification.check import CheckFailedError
from functions.verification.entrances.entrance import refuses_strangers
from functions.verification.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flask import Request, Response

    from functions.verification.check import Check
    from functions.verification.entrances.entrance import Entrance
    from planner.observed import Observed
    from planner.target import Target

# What people read about a proof that succeeded; the other checks are details of these.
_WORTH_TELLING = (side_doors.NAME, "stranger refused", "run logged", "artifact came back")


def prove(request: Request) -> Answer:
    """Answer POST: every check that was made, and whether trying again can help."""
    from planner.target import Target

    call, place = calls.received(request, VerifyCall)
    target = Target(calls.wanted(call), place)
    certified = call.observed.get("certificate") == "ACTIVE"
    way_in = entrances.of(target)
    checks, retry = _checked(target, call.observed, way_in, certified=certified)
    ok = all(check.ok for check in checks)
    unseen = [*way_in.unseen, *standpoint.unseen(target, certified=certified)]
    answer: dict[str, Any] = {
        "ok": ok,
        "retry": retry,
        "checks": [check.document() for check in checks],
        "unseen": unseen,
        "summary": _summary(checks, unseen),
    }
    logs.write("INFO" if ok else "WARNING", answer["summary"], retry=retry)
    return Answer(200, answer)


def _checked(
    target: Target, observed: Observed, way_in: Entrance, *, certified: bool
) -> tuple[list[Check], bool]:
    """Make one check after the other; the first that fails ends the proof."""
    checks: list[Check] = []
    try:
        checks.extend(_checks(target, observed, way_in, certified=certified))
    except CheckFailedError as error:
        why = domain.with_hint(checks, standpoint.with_hint(target, error.check), observed)
        return [*checks, why], error.check.retry
    return checks, False


def _checks(
    target: Target, observed: Observed, way_in: Entrance, *, certified: bool
) -> Iterator[Check]:
    inside = standpoint.can_reach(target)
    if inside is not None:
        yield inside
    if target.request.load_balancer is not None:
        if side_doors.visible(target):
            yield side_doors.shut(target, observed, way_in)
        if not certified:
            # Until the domain has its certificate nobody comes in by it, and verify neither.
            return
        found = domain.leads_here(target, observed)
        if found is not None:
            yield found
    urls = _urls(target, observed)
    for url in urls:
        yield refuses_strangers(url, way_in)
        if way_in.greets is not None:
            yield way_in.greets(url)
    version = target.request.mlflow_version
    for url in urls:
        member = Visitor(url, partial(way_in.member, url))
        yield tracking.runs_the_planned_version(member, version)
        yield browser.opens(member)
        yield browser.refuses_foreign_pages(member, version)
    first = Visitor(urls[0], partial(way_in.member, urls[0]))
    yield from tracking.keeps_runs_and_artifacts(first, target.uploads)


def _urls(target: Target, observed: Observed) -> list[str]:
    """Return every address of the server: what the platform reports, else what was planned."""
    from planner import hosts

    seen = observed.get("urls")
    if isinstance(seen, list) and seen:
        return seen
    return [f"https://{host}" for host in hosts.of(target, observed)]


def _summary(checks: list[Check], unseen: Sequence[str]) -> str:
    wrong = [check for check in checks if not check.ok]
    if wrong:
        return f"not proved: {wrong[0].name}: {wrong[0].detail}"[:500]
    names = {check.name for check in checks}
    told = " · ".join(name for name in _WORTH_TELLING if name in names)
    return "; not seen: ".join(filter(None, (told, ", ".join(unseen))))[:500]


ROUTES = (Route("POST", "/", prove),)


def verify(request: Request) -> Response:
    """Serve the workflow; the entry point that is deployed."""
    return http.serve("verify", ROUTES, request)
