"""Applying a PATCH: only the paths of the mask, or everything sent."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Resource = dict[str, Any]


def merged(current: Resource, sent: Resource, mask: Sequence[str] = ()) -> Resource:
    """Give ``current`` with the masked paths taken from ``sent``; a path not sent is cleared.

    Without a mask every top-level field that was sent replaces the present one.
    """
    result = deepcopy(current)
    for path in mask or tuple(sent):
        if path == "*":
            result.update(deepcopy(sent))
            continue
        _copy(result, sent, path.split("."))
    return result


def _copy(target: Resource, source: Resource, path: list[str]) -> None:
    head, rest = path[0], path[1:]
    if not rest:
        if head in source:
            target[head] = deepcopy(source[head])
        else:
            target.pop(head, None)
        return
    below = target.setdefault(head, {})
    inner = source.get(head, {})
    _copy(below, inner if isinstance(inner, dict) else {}, rest)
