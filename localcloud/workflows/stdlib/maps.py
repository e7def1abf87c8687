"""``map``: looking into maps and making new ones of them."""

from typing import Any

from localcloud.workflows.errors import type_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type, shown


@function("map.get", "map", "keys")
def get(map_: Any, keys: Any) -> Any:
    """Give the value under a key, or down a list of keys; null where there is none."""
    path = keys if type(keys) is list else [keys]
    for key in path:
        if type(key) is not str:
            raise type_error(f"keys must be a string or a list of strings; got: {shown(keys)}")
    for key in path:
        if type(map_) is not dict:
            return None
        map_ = map_.get(key)
    return map_


@function("map.delete", "map", "key")
def delete(map_: Any, key: Any) -> dict[Any, Any]:
    """Copy a map without a key; a missing key makes no difference."""
    found: dict[Any, Any] = expect_type(map_, dict, "map")
    expect_type(key, str, "key")
    return {name: value for name, value in found.items() if name != key}


@function("map.merge", "first", "second")
def merge(first: Any, second: Any) -> dict[Any, Any]:
    """Copy the first map and put the items of the second into the copy."""
    return {**expect_type(first, dict, "first"), **expect_type(second, dict, "second")}


@function("map.merge_nested", "first", "second")
def merge_nested(first: Any, second: Any) -> dict[Any, Any]:
    """Merge as ``merge`` does, and maps under the same key as well."""
    merged: dict[Any, Any] = dict(expect_type(first, dict, "first"))
    for key, value in expect_type(second, dict, "second").items():
        old = merged.get(key)
        both = type(old) is dict and type(value) is dict
        merged[key] = merge_nested(old, value) if both else value
    return merged
