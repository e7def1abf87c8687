"""The api: what people and programs call to get, see and remove a tracking server."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from functions.door import audiences, http, identity, logs, openapi, paging, problems
from functions.door.http import Answer, Route
from functions.intake import admission, lifecycle, preview
from functions.records import deployments, events, platform, policy, registry
from schemas.deployment import State
from schemas.listing import DeploymentList, EventList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Request, Response

    from functions.door.identity import Caller
    from functions.records.deployments import Known
    from schemas.listing import DeploymentSummary

DEPLOYMENTS = "/v1/deployments"


def create(request: Request) -> Answer:
    """Answer POST: 202 and where to look, or 200 and the plan when only that is asked for."""
    only_plan = _flag(request, "validate_only")
    caller = _caller(request)
    place, rules = platform.load(), platform.load_policy()
    asked = admission.admitted(request, caller, platform=place, rules=rules)
    logs.bind(deployment=asked.name)
    plan = preview.of(asked, caller, platform=place)
    if only_plan:
        lifecycle.rehearse(asked, caller, platform=place, rules=rules, plan=plan)
        return Answer(200, plan.document())
    known = lifecycle.want(asked, caller, platform=place, rules=rules, plan=plan)
    return _accepted(known)


def show(request: Request, name: str) -> Answer:
    """Answer GET of one deployment; of a removed one, what is remembered of it."""
    known = _visible(name, _caller(request))
    return Answer(200, deployments.shown(known, platform.load()).document())


def remove(request: Request, name: str) -> Answer:
    """Answer DELETE: 202 in every state; once is as good as twice."""
    caller = _caller(request)
    known = _visible(name, caller)
    return _accepted(lifecycle.unwant(known, caller, platform=platform.load()))


def show_all(request: Request) -> Answer:
    """Answer GET of the list: by name, of the teams that the caller may see."""
    caller, rules = _caller(request), platform.load_policy()
    team, state = request.args.get("team"), request.args.get("state")
    if state is not None and state not in get_args(State):
        raise problems.invalid(
            f"state must be one of {', '.join(get_args(State))}", allowed=get_args(State)
        )
    if team is not None:
        policy.require_member(caller, team, rules)
    seen, everything = policy.teams_of(caller, rules), policy.is_admin(caller, rules)
    size = paging.size(request)
    matching = _matching(
        deployments.summaries(after=paging.start(request, registry.is_name)),
        team=team,
        state=state,
        # An admin also sees what belongs to a team that the policy no longer names.
        visible=None if everything else seen,
    )
    # One more than fits on the page tells whether there is a next one.
    found = list(itertools.islice(matching, size + 1))
    more = found[size - 1].name if len(found) > size else None
    answer = DeploymentList(deployments=tuple(found[:size]), next_page_token=paging.token(more))
    return Answer(200, answer.document())


def show_events(request: Request, name: str) -> Answer:
    """Answer GET of the events of one deployment, oldest first."""
    known = _visible(name, _caller(request))
    size = paging.size(request)
    start = int(paging.start(request, lambda value: value.isdigit() and len(value) < 10) or 0)  # noqa: PLR2004 - nobody has so many events
    history = events.history(known.spec.name, team=known.spec.request.team)
    more = str(start + size) if len(history) > start + size else None
    page = tuple(history[start : start + size])
    return Answer(200, EventList(events=page, next_page_token=paging.token(more)).document())


def describe(_request: Request) -> Answer:
    """Answer GET of the OpenAPI document, to everybody."""
    return Answer(200, openapi.document())


ROUTES = (
    Route("POST", DEPLOYMENTS, create, frozenset({"validate_only"})),
    Route("GET", DEPLOYMENTS, show_all, paging.QUERY | {"team", "state"}),
    Route("GET", DEPLOYMENTS + "/{name}", show),
    Route("DELETE", DEPLOYMENTS + "/{name}", remove),
    Route("GET", DEPLOYMENTS + "/{name}/events", show_events, paging.QUERY),
    Route("GET", "/v1/openapi.json", describe),
)


def api(request: Request) -> Response:
    """Serve the api; the entry point that is deployed."""
    return http.serve("api", ROUTES, request)


def _caller(request: Request) -> Caller:
    caller = identity.verified(
        request.headers.get("Authorization"), audiences.of_people(platform.load())
    )
    logs.bind(caller=caller.email)
    return caller


def _visible(name: str, caller: Caller) -> Known:
    """Return a deployment that exists and that the caller may see."""
    logs.bind(deployment=name[:40])
    known = deployments.find(name)
    if known is None:
        raise problems.not_found(f"there is no deployment called {name[:100]}")
    policy.require_member(caller, known.spec.request.team, platform.load_policy())
    logs.bind(execution=None if known.status is None else known.status.execution)
    return known


def _accepted(known: Known) -> Answer:
    """Answer with what was accepted: the same to all who ask the same, however far it is by then.

    How far it is, is what GET at the Location says. A deployment that has come to rest is shown
    as it is.
    """
    if known.state in deployments.AT_WORK:
        known = replace(known, status=None)
    body = deployments.shown(known, platform.load()).document()
    return Answer(202, body, {"Location": f"{DEPLOYMENTS}/{known.spec.name}"})


def _matching(
    entries: Iterator[DeploymentSummary],
    *,
    team: str | None,
    state: str | None,
    visible: frozenset[str] | None,
) -> Iterator[DeploymentSummary]:
    for entry in entries:
        if team is not None and entry.team != team:
            continue
        if state is not None and entry.state != state:
            continue
        if visible is None or entry.team in visible:
            yield entry


def _flag(request: Request, name: str) -> bool:
    value = request.args.get(name, "false")
    if value not in ("true", "false"):
        raise problems.invalid(f"{name} must be true or false", allowed=("true", "false"))
    return value == "true"
