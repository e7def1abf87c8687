"""How one gets in, and who must not: one module per access mode, found in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.verification.entrances import basic_auth, iam, iap, oauth2_proxy

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.verification.entrances.entrance import Entrance
    from planner.target import Target

_MODES: dict[str, Callable[[Target], Entrance]] = {
    "iam": iam.entrance,
    "basic_auth": basic_auth.entrance,
    "iap": iap.entrance,
    "oauth2_proxy": oauth2_proxy.entrance,
}


def of(target: Target) -> Entrance:
    """Return how the deployment's callers prove who they are."""
    made = _MODES[target.request.access.mode](target)
    # IAP may stand before MLflow's own login, too; then both ask.
    if target.iap is not None and target.request.access.mode != "iap":
        return iap.before(target, made)
    return made
