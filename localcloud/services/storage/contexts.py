"""Object contexts: keys and values with times of their own, and the filter that lists by them.

See cloud.google.com/storage/docs/object-contexts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

_CLAUSE = re.compile(r'(-|NOT )?contexts\."([^"]+)"(?:="([^"]*)"|(:\*))')
_MOST = 50

Contexts = dict[str, Any]


def stamped(contexts: Contexts | None, before: Contexts | None, now: str) -> Contexts | None:
    """Return contexts with the times at which each was made and changed."""
    custom = (contexts or {}).get("custom") or {}
    if len(custom) > _MOST:
        message = f"An object can have at most {_MOST} contexts."
        raise ApiError(400, message, reason="invalid")
    old = (before or {}).get("custom") or {}
    found: Contexts = {}
    for key, payload in custom.items():
        was = old.get(key)
        if was is not None and was.get("value") == payload.get("value"):
            found[key] = was
        else:
            made = was["createTime"] if was is not None else now
            found[key] = {"value": payload.get("value", ""), "createTime": made, "updateTime": now}
    return {"custom": found} if found else None


def matcher(text: str | None) -> Callable[[Contexts], bool] | None:
    """Compile a list's ``filter``; 400 if it is none."""
    if not text:
        return None
    found = _CLAUSE.fullmatch(text.strip())
    if found is None:
        raise ApiError(400, f"Invalid filter: {text}", reason="invalid")
    negated, key, value, _ = found.groups()

    def matches(contexts: Contexts) -> bool:
        payload = (contexts.get("custom") or {}).get(key)
        held = payload is not None and value in {None, payload["value"]}
        return held is not bool(negated)

    return matches
