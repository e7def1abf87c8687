"""``list``: copies with one element more."""

from typing import Any

from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type


@function("list.concat", "objs", "val")
def concat(objs: Any, val: Any) -> list[Any]:
    """Copy a list and add one element at the end; a list is one element."""
    return [*expect_type(objs, list, "objs"), val]


@function("list.prepend", "objs", "val")
def prepend(objs: Any, val: Any) -> list[Any]:
    """Copy a list and add one element at the front."""
    return [val, *expect_type(objs, list, "objs")]
