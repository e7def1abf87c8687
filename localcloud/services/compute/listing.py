"""Lists as Compute Engine gives them: filters in both spellings, orders, pages, all scopes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.listing import filtered
from localcloud.service import page
from localcloud.services.compute import names

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

MOST = 500
_WITHOUT_LINK = frozenset({"compute#securityPolicyList"})
"""Lists whose schema knows no link to themselves."""
_OLD = re.compile(r"\(?\s*([A-Za-z][\w.]*)\s+(eq|ne)\s+(\S.*?)\s*\)?")
"""The older form of filters, in which the value is a regular expression for the whole field."""


def listed(call: Call, found: list[Resource], kind: str, key: str) -> Resource:
    """Return one page of resources."""
    answer: Resource = {"kind": kind, "id": key}
    if kind not in _WITHOUT_LINK:
        answer["selfLink"] = names.link(key)
    return {
        **answer,
        **page(call, _chosen(call, found), "items", "maxResults", default=_size(call)),
    }


def aggregated(call: Call, found: list[Resource], kind: str, collection: str) -> Resource:
    """Return resources of all scopes, by scope; a scope without any carries a warning."""
    scopes: dict[str, Resource] = {}
    for scope in ("global", *(f"regions/{region}" for region in names.REGIONS)):
        scopes[scope] = {
            "warning": {
                "code": "NO_RESULTS_ON_PAGE",
                "message": f"There are no results for scope '{scope}' on this page.",
                "data": [{"key": "scope", "value": scope}],
            }
        }
    for one in _chosen(call, found):
        scope = names.key_of(one["selfLink"]).split("/", 2)[2].partition(f"/{collection}/")[0]
        scopes[scope].pop("warning", None)
        scopes[scope].setdefault(collection, []).append(one)
    key = f"{names.project(call)}/aggregated/{collection}"
    return {"kind": kind, "id": key, "selfLink": names.link(key), "items": scopes}


def _size(call: Call) -> int:
    size = call.get("maxResults")
    if size is not None and size > MOST:
        raise names.wrong(
            "maxResults", size, f"Values must be within the range: [0, {MOST}], inclusive."
        )
    return MOST


def _chosen(call: Call, found: list[Resource]) -> list[Resource]:
    return _ordered(_matching(found, call.get("filter")), call.get("orderBy"))


def _matching(found: list[Resource], expression: str | None) -> list[Resource]:
    old = _OLD.fullmatch(expression or "")
    if old is None:
        return filtered(found, expression)
    field, sign, value = old.groups()
    try:
        wanted = re.compile(value.strip("\"'"))
    except re.error:
        raise names.wrong("filter", expression, "Invalid list filter expression.") from None
    return [
        one for one in found if bool(wanted.fullmatch(str(one.get(field, "")))) == (sign == "eq")
    ]


def _ordered(found: list[Resource], order: str | None) -> list[Resource]:
    if not order:
        return sorted(found, key=lambda one: str(one["name"]))
    if order == "name":
        return sorted(found, key=lambda one: str(one["name"]))
    if order == "creationTimestamp desc":
        return list(reversed(found))
    raise ApiError(
        400,
        f"Invalid value for field 'orderBy': '{order}'. Only 'name' and 'creationTimestamp desc' "
        "are supported.",
        reason="invalid",
    )
