"""Partial responses: keeping only the fields a caller asks for."""

from __future__ import annotations

import re
from typing import Any

from localcloud.errors import invalid
from localcloud.service import camel

_Tree = dict[str, Any]


def select(body: Any, mask: str) -> Any:
    """Keep only the fields a partial-response mask names, such as ``items(name,size),kind``."""
    tree, end = _parse_mask(mask, 0)
    if end != len(mask):
        raise invalid(f"Invalid field selection {mask}")
    return _pick(body, tree)


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
