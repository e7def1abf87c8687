"""What verify says about where it stands: what it can reach, what it cannot see."""

from __future__ import annotations

from typing import Any

import pytest

from functions.verification import side_doors, standpoint
from functions.verification.check import Check, CheckFailedError
from planner.target import Target
from schemas.deployment import Spec
from tests.functions.conftest import make_platform

INTERNAL = {"platform": "cloud_run", "ingress": "internal"}
APP_ENGINE: dict[str, Any] = {
    "serving": {"platform": "app_engine"},
    "access": {"mode": "iap"},
    "load_balancer": {"domain": "mlflow.example.com"},
}


def target(*, network: str | None = None, **request: Any) -> Target:
    """Return a deployment, proved from inside a network or from outside of all."""
    moment = "2026-11-20T07:00:00Z"
    spec = Spec.model_validate(
        {
            "name": "demo",
            "generation": 1,
            "uid": "3f9c2b7a41d0",
            "desired": "present",
            "request": {"name": "demo", "team": "risk", **request},
            "created_by": "ana@example.com",
            "created": moment,
            "updated": moment,
        }
    )
    inside = None if network is None else {"name": network}
    return Target(spec, make_platform(network=inside))


def test_everybody_comes_to_an_open_door() -> None:
    """There is nothing to prove, and nothing left open."""
    assert standpoint.can_reach(target()) is None
    assert list(standpoint.unseen(target(), certified=False)) == []


def test_from_inside_an_internal_server_is_found() -> None:
    """What others get is not seen, and said."""
    inside = target(network="default", serving=INTERNAL)

    check = standpoint.can_reach(inside)

    assert check == Check("verify is inside", ok=True, detail="network default")
    assert list(standpoint.unseen(inside, certified=False)) == [
        "that callers outside the project's networks find nothing: verify is inside"
    ]


def test_from_outside_it_is_not() -> None:
    """The installer helps, waiting does not."""
    with pytest.raises(CheckFailedError, match="--network NETWORK") as caught:
        standpoint.can_reach(target(serving=INTERNAL))

    assert caught.value.check.retry is False


def test_app_engine_lets_insiders_pass_its_side_door() -> None:
    """From inside a network nothing can be said about it; from outside it can."""
    inside, outside = target(network="default", **APP_ENGINE), target(**APP_ENGINE)

    assert side_doors.visible(outside)
    assert not side_doors.visible(inside)
    assert list(standpoint.unseen(inside, certified=True)) == [
        "that the platform's own address is shut for callers outside: verify is inside"
    ]


def test_cloud_run_shuts_its_side_door_for_everybody() -> None:
    """The address is switched off."""
    behind = {"load_balancer": {"domain": "mlflow.example.com"}}

    assert side_doors.visible(target(network="default", **behind))
    assert list(standpoint.unseen(target(network="default", **behind), certified=True)) == []


@pytest.mark.parametrize(
    ("request_", "detail", "hinted"),
    [
        ({"allowed_ranges": ["203.0.113.0/24"]}, "GET /version answered 403: Forbidden", True),
        ({"allowed_ranges": ["203.0.113.0/24"]}, "GET /version answered 502: Bad gateway", False),
        ({}, "GET /version answered 403: Forbidden", False),
    ],
)
def test_only_a_refusal_at_a_narrow_door_is_hinted_at(
    request_: dict[str, Any], detail: str, hinted: bool
) -> None:
    """Whoever cannot be the reason is not suspected."""
    behind = target(load_balancer={"domain": "mlflow.example.com", **request_})

    check = standpoint.with_hint(behind, Check("version", ok=False, detail=detail, retry=True))

    assert check.retry
    assert ("--verify-range" in check.detail) is hinted
