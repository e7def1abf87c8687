"""Mode: what an access mode brings to the parts of a deployment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.build import Recipe
from planner.observed import Observed
from planner.target import Target
from schemas.plan import PartPlan, Step


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One access mode.

    Args:
        plan: The part `access`: the grants that let the members in, and verify with them.
        service: What it says in the body of the Cloud Run service, beside the template.
        secrets: The secrets that Berth makes for it and the server reads, by purpose.
        prepare: More steps of the part `identity`, before anything reads them.
        settings: What it tells the tracking server, by environment variable.
        front: Containers before MLflow's. The first has the port then, and MLflow's has none.
        volumes: What those containers mount.
        images: What those containers run, built like the tracking server's image.
    """

    plan: Callable[[Target, Observed], PartPlan]
    service: Callable[[Target], dict[str, Any]]
    secrets: tuple[str, ...] = ()
    prepare: Callable[[Target], tuple[Step, ...]] = lambda _target: ()
    settings: Callable[[Target], dict[str, str]] = lambda _target: {}
    front: Callable[[Target, Observed], tuple[dict[str, Any], ...]] = lambda _target, _observed: ()
    volumes: Callable[[Target, Observed], tuple[dict[str, Any], ...]] = lambda _target, _observed: ()
    images: Callable[[Target], tuple[Recipe, ...]] = lambda _target: ()
