"""Partial responses: keeping only the fields a caller asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid
from localcloud.service import camel

if TYPE_CHECKING:
    from localcloud.documents.discovery import Document

_Tree = dict[str, Any]


def select(body: Any, mask: str) -> Any:
    """Keep only the fields a partial-response mask names, such as ``items(name,size),kind``."""
    tree, end = _parse_mask(mask, 0)
    if end != len(mask):
        raise invalid(f"Invalid field selection {mask}")
    return _pick(body, tree)


def check(document: Document, schema: str | None, mask: str, *, legacy: bool) -> None:
    """Refuse a mask that names a field the answer cannot have, in the API's own words."""
    tree, end = _parse_mask(mask, 0)
    if end != len(mask):
        raise invalid(f"Invalid field selection {mask}")
    unknown = _unknown(document, {"$ref": schema}, tree, "") if schema else None
    if unknown is None:
        return
    if legacy:
        message = f"Invalid field selection {unknown}"
        raise ApiError(400, message, reason="invalidParameter")
    text = f"Error expanding 'fields' parameter. Cannot find matching fields for path '{unknown}'."
    violation = {"field": unknown, "description": text}
    detail = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    raise ApiError(400, "Request contains an invalid argument.", details=[detail])


def _unknown(document: Document, schema: Any, tree: _Tree, at: str) -> str | None:
    while "$ref" in schema or schema.get("type") == "array":
        schema = document.schemas[schema["$ref"]] if "$ref" in schema else schema["items"]
    if schema.get("type") != "object" or "additionalProperties" in schema:
        return None
    properties = schema.get("properties", {})
    for name, below in tree.items():
        path = f"{at}.{name}" if at else name
        inner = properties.values() if name == "*" else filter(None, [properties.get(name)])
        found = [_unknown(document, each, below, path) for each in inner]
        if name != "*" and not found:
            return path
        if found and None not in found:
            return found[0]
    return None


def _parse_mask(mask: str, at: int) -> tuple[_Tree, int]:
    tree: _Tree = {}
    while True:
        found = re.compile(r"\s*([A-Za-z0-9_.\-]+|\*)").match(mask, at)
        if found is None:
            raise invalid(f"Invalid field selection {mask}")
        node = tree
        names = found[1].split(".")
        at = found.end()
        while at < len(mask) and mask[at] == "/":
            found = re.compile(r"([A-Za-z0-9_\-]+|\*)").match(mask, at + 1)
            if found is None:
                raise invalid(f"Invalid field selection {mask}")
            names.append(found[1])
            at = found.end()
        for name in names:
            node = node.setdefault(camel(name), {})
        if at < len(mask) and mask[at] == "(":
            inner, at = _parse_mask(mask, at + 1)
            if at >= len(mask) or mask[at] != ")":
                raise invalid(f"Invalid field selection {mask}")
            node.update(inner)
            at += 1
        if at < len(mask) and mask[at] == ",":
            at += 1
            continue
        return tree, at


def _pick(value: Any, tree: _Tree) -> Any:
    if not tree or ("*" in tree and not tree["*"]):
        return value
    if isinstance(value, list):
        return [_pick(item, tree) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _pick(item, tree[key] if key in tree else tree["*"])
        for key, item in value.items()
        if key in tree or "*" in tree
    }
