"""Mode: what an access mode brings to the parts of a deployment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.observed import Observed
from planner.target import Target
from schemas.plan import PartPlan, Step


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One access mode.

    Args:
        plan: The part `access`: the grants that let the members in, and verify with them.
        secrets: The secrets that Berth makes for it and the server mounts, by purpose.
        service: What it says in the body of the Cloud Run service, beside the template.
        prepare: More steps of the part `identity`, before anything reads them.
        settings: What it tells the tracking server, by environment variable.
    """

    plan: Callable[[Target, Observed], PartPlan]
    secrets: tuple[str, ...] = ()
    service: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Target], tuple[Step, ...]] = lambda _target: ()
    settings: Callable[[Target], dict[str, str]] = lambda _target: {}
