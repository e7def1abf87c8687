"""Options that exclude each other: one table, read when a request is read and by the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from schemas.database import POOL_ENGINE, POOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.deployment import DeploymentRequest


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two options that cannot both be had."""

    when: Callable[[DeploymentRequest], bool]
    """Whether a request asks for both."""
    pointers: tuple[str, ...]
    """Where the request says so."""
    message: str
    """Names both, and what would work; `{request}` is the request."""


def _too_few_at_most(request: DeploymentRequest) -> bool:
    least, most = request.serving.min_instances, request.serving.max_instances
    return least is not None and most is not None and least > most


TABLE = (
    Contradiction(
        when=lambda request: request.highly_available and request.placement == "pooled",
        pointers=("/highly_available", "/placement"),
        message="highly_available true and placement pooled contradict each other: the shared "
        "instance belongs to all; use placement dedicated with size medium or large, "
        "or highly_available false",
    ),
    Contradiction(
        when=lambda request: request.highly_available and request.size == "small",
        pointers=("/highly_available", "/size"),
        message="highly_available true and size small contradict each other; "
        "use size medium or large, or highly_available false",
    ),
    Contradiction(
        when=lambda request: (
            request.placement == "pooled" and request.database.engine != POOL_ENGINE
        ),
        pointers=("/database/engine", "/placement"),
        message="database.engine {request.database.engine} and placement pooled contradict each "
        f"other: the shared instance runs {POOL_ENGINE} {POOL_VERSION}; use placement dedicated, "
        f"or database.engine {POOL_ENGINE}",
    ),
    Contradiction(
        when=lambda request: (
            request.placement == "pooled"
            and request.database.engine == POOL_ENGINE
            and request.database.version != POOL_VERSION
        ),
        pointers=("/database/version", "/placement"),
        message="database.version {request.database.version} and placement pooled contradict each "
        f"other: the shared instance runs {POOL_ENGINE} {POOL_VERSION}; use placement dedicated, "
        f"or database.version {POOL_VERSION}",
    ),
    Contradiction(
        when=lambda request: (
            request.access.mode == "basic_auth" and request.database.engine == "mysql"
        ),
        pointers=("/access/mode", "/database/engine"),
        message="access.mode basic_auth and database.engine mysql contradict each other: MLflow "
        "cannot keep its logins in MySQL; use access.mode iam, or database.engine postgresql",
    ),
    Contradiction(
        when=_too_few_at_most,
        pointers=("/serving/min_instances", "/serving/max_instances"),
        message="min_instances {request.serving.min_instances} and max_instances "
        "{request.serving.max_instances} contradict each other; min_instances must be at most "
        "{request.serving.max_instances}, or max_instances at least "
        "{request.serving.min_instances}",
    ),
)
"""Everything that one request cannot ask for at once. What a platform lacks is not here but in
planner/admission.py: the schemas cannot know it."""


def refuse(request: DeploymentRequest) -> None:
    """Refuse a request that asks for options that exclude each other, naming all of them.

    Raises:
        PydanticCustomError: Says each contradiction, with the places it is found at.
    """
    found = [
        {
            "pointers": list(contradiction.pointers),
            "message": contradiction.message.format(request=request),
        }
        for contradiction in TABLE
        if contradiction.when(request)
    ]
    if found:
        raise PydanticCustomError(
            "contradiction",
            "{words}",
            {"words": "; ".join(str(one["message"]) for one in found), "found": found},
        )
