"""Demands: whether what is there already is as a plan needs it; workflows/lib/look.yaml asks the same."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.plan import Demand, Need


def missed(need: Need, body: Mapping[str, Any] | None) -> str | None:
    """Return what keeps a need from being met, None when nothing does.

    Args:
        need: What has to be there, or must not be.
        body: What GET answered; None when it said that there is nothing.
    """
    return need.absent if body is None else unmet(need.demands, body)


def unmet(demands: Iterable[Demand], body: Mapping[str, Any]) -> str | None:
    """Return the words of the first demand that is not met, None when all are."""
    for demand in demands:
        found = _at(body, demand.path)
        if not _will_do(demand, found):
            return demand.otherwise.replace("<found>", _said(found))
    return None


def _will_do(demand: Demand, found: Any) -> bool:
    if found is None:
        return False
    if demand.among:
        return found in demand.among
    return demand.value is None or bool(found == demand.value)


def _at(body: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        if not isinstance(body, Mapping) or key not in body:
            return None
        body = body[key]
    return body


def _said(found: Any) -> str:
    if found is None:
        return "nothing"
    return found if isinstance(found, str) else json.dumps(found, separators=(",", ":"))
