"""The expression helpers, which belong to no module: conversions, ``len``, ``default``, ``if``."""

import math
import re
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.errors import type_error, value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type, shown, text_of, type_name

_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_DOUBLE: Final = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


@function("int", "x", counted=False)
def int_(x: Any) -> int:
    """Convert a string or a double; a double loses its fraction."""
    if type(x) is int:
        return x
    if type(x) is float:
        if not math.isfinite(x):
            raise value_error(f"cannot convert {x} to an integer")
        number = int(x)
    elif type(x) is str:
        if not _INTEGER.fullmatch(x):
            raise value_error(f"cannot convert {shown(x)} to an integer")
        number = int(x)
    else:
        raise type_error(f"int() takes a string or a double; got: {shown(x)}")
    if not limits.INTEGER_LEAST <= number <= limits.INTEGER_MOST:
        raise value_error(f"{shown(x)} does not fit a 64-bit integer")
    return number


@function("double", "x", counted=False)
def double(x: Any) -> float:
    """Convert a string or an integer."""
    if type(x) is float:
        return x
    if type(x) is int:
        return float(x)
    if type(x) is str:
        if not _DOUBLE.fullmatch(x):
            raise value_error(f"cannot convert {shown(x)} to a double")
        return float(x)
    raise type_error(f"double() takes a string or an integer; got: {shown(x)}")


@function("string", "x", counted=False)
def string(x: Any) -> str:
    """Convert an integer, a double or a boolean."""
    text = text_of(x)
    if text is None:
        kind = "dict" if type(x) is dict else type_name(x)
        message = f"TypeError: unsupported operand type for string(): '{kind}'"
        raise type_error(f"{message} (expecting number, string, or boolean)")
    return text


@function("len", "v", counted=False)
def len_(v: Any) -> int:
    """Count the elements of a list, the entries of a map, the characters of a string."""
    if type(v) not in (list, dict, str):
        raise type_error(f"len() takes a list, a map or a string; got: {shown(v)}")
    return len(v)


@function("keys", "map")
def keys(map_: Any) -> list[Any]:
    """List the keys of a map."""
    return list(expect_type(map_, dict, "argument of keys()"))


@function("default", "v", "d", counted=False)
def default(v: Any, d: Any) -> Any:
    """Give the second value if the first is null; nothing else counts as missing."""
    return d if v is None else v


@function("if", "cond", "a", "b", counted=False)
def if_(cond: Any, a: Any, b: Any) -> Any:
    """Choose between two values, both of which have been evaluated; null counts as false."""
    return a if cond is not None and expect_type(cond, bool, "condition of if()") else b


@function("get_type", "v", counted=False)
def get_type(v: Any) -> str:
    """Name the type of a value."""
    return type_name(v)
