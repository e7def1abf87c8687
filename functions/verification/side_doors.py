"""Side doors: behind a load balancer the platform's own addresses of the server lead nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.verification.answers import is_refusal_by_iap, said
from functions.verification.check import Check, failed
from functions.verification.entrances.entrance import SEARCH, nobody
from functions.verification.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.verification.entrances.entrance import Entrance
    from planner.observed import Observed
    from planner.target import Target

NAME = "side doors shut"


@dataclass(frozen=True)
class _Platform:
    """How a platform turns everybody away at an address that leads nowhere.

    Args:
        answers: With which status.
        seen_from_inside: Whether callers from the project's networks are turned away as well.
    """

    answers: frozenset[int]
    seen_from_inside: bool


_PLATFORMS = {
    # The address is switched off, for everybody: nothing is there.
    "cloud_run": _Platform(frozenset({HTTPStatus.NOT_FOUND}), seen_from_inside=True),
    # The address stays, and lets in callers of the project's networks.
    "app_engine": _Platform(
        frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}), seen_from_inside=False
    ),
}


def shut(target: Target, observed: Observed, way_in: Entrance) -> Check:
    """Prove that neither a stranger nor a member finds the server beside its load balancer.

    Raises:
        CheckFailedError: Something answers there.
    """
    platform = _PLATFORMS[target.request.serving.platform]
    hosts = _hosts(target, observed)
    for host in hosts:
        url = f"https://{host}"
        for who, headers in (("a stranger", nobody), ("a member", way_in.member)):
            answer = Visitor(url, partial(headers, url)).call(NAME, "GET", SEARCH)
            if answer.status_code not in platform.answers or is_refusal_by_iap(answer):
                raise failed(
                    NAME,
                    f"{url} leads past the load balancer: {who} got {said(answer)}",
                    # What is closed a moment ago may still be open in places.
                    retry=True,
                )
    return Check(NAME, ok=True, detail=", ".join(hosts))


def _hosts(target: Target, observed: Observed) -> Sequence[str]:
    from planner import hosts

    if target.request.serving.platform == "app_engine":
        return (hosts.own_of_app_engine(target, observed),)
    return target.own_hosts


def visible(target: Target) -> bool:
    """Say whether verify, from where it is, sees what those outside see at the side doors."""
    platform = _PLATFORMS[target.request.serving.platform]
    return platform.seen_from_inside or target.platform.network is None
