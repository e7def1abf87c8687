"""Remedies: what a failure of the workflow means and what a person can do about it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from planner.remedies.access import ACCESS
from planner.remedies.general import ANY_API, LAST, OWN, POLICIES
from planner.remedies.ground import GROUND
from planner.remedies.remedy import UNKNOWN, Remedy
from planner.remedies.service import BUILD, DATABASE, DOMAIN, NAMES, SERVER
from schemas.problem import Problem

REMEDIES: tuple[Remedy, ...] = (
    *ACCESS,
    *OWN,
    *POLICIES,
    *ANY_API,
    *GROUND,
    *DATABASE,
    *BUILD,
    *SERVER,
    *DOMAIN,
    *NAMES,
    *LAST,
)
"""Every known failure; the first that fits decides, so the narrow ones stand before the wide."""

LONGEST_CAUSE = 2000
"""More of Google's words than this helps nobody, and status.json is read often."""


def diagnosis(
    error: Mapping[str, Any], *, step: str | None = None, deployment: str | None = None
) -> Problem:
    """Return the problem that an error of the workflow is.

    Args:
        error: What the workflow raised: {tags, part, step, message, cause}, where cause is
            {tags, code, status, reason, message, request} or null. A bare HTTP error of the
            language ({tags, code, message, body}) is understood as well.
        step: Where it happened, if the error itself does not say so.
        deployment: The deployment's name, for the problem's `instance`.
    """
    cause = _cause(error)
    tags = _tags(error, cause)
    found = _remedy(tags, cause)
    words = str(cause.get("message") or error.get("message") or "no words came with it")
    return Problem(
        type=f"urn:berth:problem:{found.kind}",
        title=found.title,
        status=found.status,
        detail=str(error.get("message") or words)[:LONGEST_CAUSE],
        instance=f"/v1/deployments/{deployment}" if deployment else None,
        step=_step(error, step),
        cause=words[:LONGEST_CAUSE],
        remedy=found.words(words),
        resumable=found.resumable,
    )


def _remedy(tags: tuple[str, ...], cause: Mapping[str, Any]) -> Remedy:
    request = str(cause.get("request") or "")
    host = urlsplit(request.split(" ", 1)[-1]).hostname or ""
    code = cause.get("code")
    text = " ".join(str(cause.get(key) or "") for key in ("status", "reason", "message", "request"))
    for remedy in REMEDIES:
        if remedy.fits(tags, host=host, code=code if isinstance(code, int) else -1, text=text):
            return remedy
    return UNKNOWN


def _step(error: Mapping[str, Any], otherwise: str | None) -> str:
    """Return "part: resource", the part alone, or what the caller knows; never nothing."""
    part, resource = error.get("part"), error.get("step")
    if part and resource and part != resource:
        return f"{part}: {resource}"
    return str(part or resource or otherwise or "unknown")


def _tags(error: Mapping[str, Any], cause: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(tag) for one in (error, cause) for tag in one.get("tags") or ())


def _cause(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return the innermost error, with Google's own body opened if it is still closed."""
    inner = error
    while isinstance(inner.get("cause"), Mapping):
        inner = inner["cause"]
    opened = _opened(inner.get("body"))
    return {**inner, **{key: value for key, value in opened.items() if value is not None}}


def _opened(body: object) -> dict[str, Any]:
    """Return status, reason and message of an error body in either of Google's two styles."""
    google = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(google, Mapping):
        return {}
    places = google.get("details") or google.get("errors") or ()
    reasons = (place.get("reason") for place in places if isinstance(place, Mapping))
    return {
        "message": google.get("message"),
        "status": google.get("status"),
        "reason": next((reason for reason in reasons if reason), None),
    }
