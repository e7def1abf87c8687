"""From the bytes of a body to a request that Berth can and may carry out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from functions.door import http, problems
from functions.records import events, policy
from schemas import problem as shapes
from schemas.access import MOST_MEMBERS, BasicAuth, IamAccess, Iap, OAuth2Proxy
from schemas.deployment import DeploymentRequest, Spec
from schemas.problem import FieldError

if TYPE_CHECKING:
    from flask import Request

    from functions.door.identity import Caller
    from schemas.platform import Platform
    from schemas.policy import Policy


def admitted(
    request: Request, caller: Caller, *, platform: Platform, rules: Policy
) -> DeploymentRequest:
    """Return what is asked for, with every default filled in.

    Raises:
        ProblemError: 400 with every place that is wrong, 403 naming the rule, 413.
    """
    data = http.json_object(request)
    try:
        # Strict: "3" is no number and "yes" no boolean, so a slip is not taken for a wish.
        asked = DeploymentRequest.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise problems.invalid_model(error, DeploymentRequest) from error
    # Whoever may not ask for the team learns nothing about what the platform offers.
    policy.require_member(caller, asked.team, rules)
    settled = asked.model_copy(update={"region": asked.region or platform.default_region})
    _require_offered(settled, platform)
    policy.require_allowed(settled, rules)
    return settled


def first_spec(asked: DeploymentRequest, caller: Caller, *, uid: str) -> Spec:
    """Return what is wanted when somebody asks for a deployment that never was."""
    now = events.now()
    return Spec(
        name=asked.name,
        generation=1,
        uid=uid,
        desired="present",
        request=with_requester(asked, caller.member),
        created_by=caller.email,
        created=now,
        updated=now,
    )


def with_requester(request: DeploymentRequest, member: str) -> DeploymentRequest:
    """Add the one who asked to those who may enter, where the request says who may."""
    access = request.access
    if isinstance(access, BasicAuth):
        if access.iap is None:
            return request
        members = _members(access.iap, member, pointer="/access/iap/members")
        iap = access.iap.model_copy(update={"members": members})
        return request.model_copy(update={"access": access.model_copy(update={"iap": iap})})
    members = _members(access, member, pointer="/access/members")
    return request.model_copy(update={"access": access.model_copy(update={"members": members})})


def require_somebody(request: DeploymentRequest, member: str) -> None:
    """Refuse a server that nobody could ever enter.

    Raises:
        ProblemError: 400 when the one who asks is kept out and nobody else is named.
    """
    iap = request.access.iap if isinstance(request.access, BasicAuth) else request.access
    if not isinstance(iap, Iap) or iap.members or request.training_account is not None:
        return
    if not _is_kept_out(iap, member):
        return
    place = "/access/iap" if isinstance(request.access, BasicAuth) else "/access"
    raise problems.invalid(
        f"nobody could enter: members names nobody, and {member} is of no domain in "
        "allowed_domains; name members, or add a domain",
        pointer=f"{place}/allowed_domains",
    )


def _members(
    access: IamAccess | Iap | OAuth2Proxy, member: str, *, pointer: str
) -> tuple[str, ...]:
    """Return the members and the one who asks.

    Raises:
        ProblemError: 400 when they are too many.
    """
    if member in access.members or _is_kept_out(access, member):
        return access.members
    if len(access.members) >= MOST_MEMBERS:
        raise problems.invalid(
            f"members has {len(access.members)} entries without the one who asks; "
            f"{MOST_MEMBERS} are the most, so name a group",
            pointer=pointer,
        )
    return (*access.members, member)


def _is_kept_out(access: IamAccess | Iap | OAuth2Proxy, member: str) -> bool:
    """Tell whether the team's own limit keeps out the one who asks, an operator perhaps."""
    domains = access.allowed_domains if isinstance(access, Iap) else ()
    kind, _, address = member.partition(":")
    return bool(domains) and kind == "user" and address.partition("@")[2].lower() not in domains


def differences(ours: DeploymentRequest, theirs: DeploymentRequest) -> tuple[FieldError, ...]:
    """Name every place where a request differs from the one that made the deployment."""
    wanted, existing = theirs.document(), ours.document()
    return tuple(
        FieldError(
            pointer=shapes.pointer(name),
            message=f"{name} is {_shown(existing[name])} and would become {_shown(wanted[name])}",
        )
        for name in wanted
        if _comparable(wanted[name]) != _comparable(existing[name])
    )


def _comparable(value: object) -> object:
    """Take the order out of lists: naming the same members in another order is the same."""
    if isinstance(value, dict):
        return {key: _comparable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted(value)
    return value


def _shown(value: object) -> str:
    # A word needs no quotes; whatever has parts is shown as the caller would write it.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:200]


def _require_offered(request: DeploymentRequest, platform: Platform) -> None:
    """Refuse what this platform does not have, everything at once."""
    from planner import admission

    errors = admission.errors(request, platform)
    if errors:
        raise problems.ProblemError(shapes.invalid(errors))
