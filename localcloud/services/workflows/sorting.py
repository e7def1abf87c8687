"""``orderBy`` as the Workflows APIs take it: fields with commas between, each perhaps ``desc``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.service import Resource


def ordered(
    items: Sequence[Resource], order: str | None, fields: Sequence[str], *, default: str
) -> list[Resource]:
    """Sort items; a field that cannot be sorted by is refused with those that can."""
    result = list(items)
    for part in reversed((order or default).split(",")):
        words = part.split()
        name = words[0] if words else ""
        direction = words[1].lower() if len(words) > 1 else "asc"
        if name not in fields or direction not in ("asc", "desc") or not 1 <= len(words) <= 2:  # noqa: PLR2004 - a field and a direction
            raise invalid(f"invalid order_by {part.strip()!r}; fields are: {', '.join(fields)}")
        result.sort(key=lambda item, name=name: item.get(name) or "", reverse=direction == "desc")  # type: ignore[misc]  # name is bound
    return result
