"""access: who may enter. One module per access mode, found in a table."""

from planner.access import basic_auth, iam, iap, oauth2_proxy
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target
from schemas.plan import PartPlan

MODES: dict[str, Mode] = {
    "iam": iam.MODE,
    "basic_auth": basic_auth.MODE,
    "iap": iap.MODE,
    "oauth2_proxy": oauth2_proxy.MODE,
}
"""What each access mode brings to the parts of a deployment."""


def of(target: Target) -> Mode:
    """Return the access mode that was asked for."""
    return MODES[target.request.access.mode]


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the grants that let the members in, and verify with them."""
    return of(target).plan(target, observed)
