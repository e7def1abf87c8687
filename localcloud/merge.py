"""Applying a PATCH: only the paths of the mask, everything sent, or a JSON merge patch."""

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


def patched(current: Resource, patch: Resource) -> Resource:
    """Give ``current`` changed as RFC 7396 says: objects merge, null removes, all else replaces."""
    result = deepcopy(current)
    for field, value in patch.items():
        if value is None:
            result.pop(field, None)
        elif isinstance(value, dict):
            below = result.get(field)
            result[field] = patched(below if isinstance(below, dict) else {}, value)
        else:
            result[field] = deepcopy(value)
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
