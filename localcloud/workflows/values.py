"""Values of the language: their type names, copies, sizes, equality and JSON form."""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.errors import limit_error, type_error, value_error


class Callable:
    """Something that can be handed around and called: a subworkflow or a retry predicate."""

    __slots__ = ("name", "target")

    def __init__(self, name: str, target: object) -> None:
        """Name the callable and keep what it stands for."""
        self.name = name
        self.target = target


_SHOWN = 200  # characters of a value in an error message

TYPE_NAMES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    type(None): "null",
    Callable: "function",
}


_WANTED: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    bytes: "bytes",
    list: "a list",
    dict: "a map",
}


def type_name(value: object) -> str:
    """Name the type as ``get_type`` does."""
    return TYPE_NAMES[type(value)]


def string_bytes(text: str) -> int:
    """Count the bytes of a string; one that is too long ends the execution."""
    size = len(text) if text.isascii() else len(text.encode())
    if size > limits.STRING_BYTES:
        message = f"string of {size} bytes is longer than {limits.STRING_BYTES}"
        raise limit_error(message, "StringLimitExceededError")
    return size


def text_of(value: Any) -> str | None:
    """Give the text of a string, number or boolean; None for what has no text.

    All digits and no exponent, as in the documented string(sys.now()); 2.0 is "2".
    """
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float and math.isfinite(value):
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return None


def sized_copy(value: Any) -> tuple[Any, int]:
    """Copy a value to every depth and say how many bytes of memory it counts for."""
    kind = type(value)
    if kind is int or kind is float or kind is bool or value is None:
        return value, 8
    if kind is str:
        return value, 8 + string_bytes(value)
    if kind is dict:
        total = 8
        entries = {}
        for key, item in value.items():
            entries[key], size = sized_copy(item)
            total += size + (8 + len(key) if type(key) is str else 8)
        return entries, total
    if kind is list:
        total = 8
        items = []
        for item in value:
            copied, size = sized_copy(item)
            items.append(copied)
            total += size
        return items, total
    if kind is bytes:
        return value, 8 + len(value)
    return value, 8


def copy(value: Any) -> Any:
    """Copy a value to every depth."""
    kind = type(value)
    if kind is dict:
        return {key: copy(item) for key, item in value.items()}
    if kind is list:
        return [copy(item) for item in value]
    return value


def size_of(value: Any) -> int:
    """Say how many bytes of memory a value counts for."""
    kind = type(value)
    if kind is str:
        return 8 + (len(value) if value.isascii() else len(value.encode()))
    if kind is dict:
        return 8 + sum(size_of(key) + size_of(item) for key, item in value.items())
    if kind is list:
        return 8 + sum(map(size_of, value))
    if kind is bytes:
        return 8 + len(value)
    return 8


def equal(left: Any, right: Any) -> bool:
    """Compare two values; integers and doubles by value, booleans are no numbers."""
    one, other = type(left), type(right)
    if one is dict and other is dict:
        return len(left) == len(right) and all(
            key in right and equal(item, right[key]) for key, item in left.items()
        )
    if one is list and other is list:
        return len(left) == len(right) and all(map(equal, left, right))
    if one is other:
        return bool(left == right)
    if (one is int and other is float) or (one is float and other is int):
        return bool(left == right)
    return False


def _entries(value: Any) -> Iterator[Any]:
    if type(value) is dict:
        yield from value.values()
    elif type(value) is list:
        yield from value


def _refuse_what_json_lacks(value: Any) -> None:
    if type(value) is bytes or type(value) is Callable:
        raise value_error(f"a value of type {type_name(value)} cannot be JSON-encoded")
    for item in _entries(value):
        _refuse_what_json_lacks(item)


def to_json(value: Any, *, indent: str | None = None, prefix: str = "") -> str:
    """Encode a value as JSON text, or raise ValueError in the workflow."""
    _refuse_what_json_lacks(value)
    try:
        text = json.dumps(
            value,
            ensure_ascii=False,
            allow_nan=False,
            indent=indent,
            separators=(",", ":") if indent is None else (",", ": "),
        )
    except ValueError as error:
        raise value_error(f"value cannot be JSON-encoded: {error}") from error
    return text.replace("\n", "\n" + prefix) if prefix else text


def _integer(digits: str) -> int | float:
    number = int(digits)
    if limits.INTEGER_LEAST <= number <= limits.INTEGER_MOST:
        return number
    return float(digits)


def _double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        message = f"{digits} does not fit a double"
        raise ValueError(message)
    return number


def _no_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)


def from_json(text: str | bytes) -> Any:
    """Decode JSON text; integers beyond 64 bits become doubles.

    Raises:
        ValueError: if it is not JSON.
    """
    return json.loads(text, parse_int=_integer, parse_float=_double, parse_constant=_no_constant)


def shown(value: Any) -> str:
    """Render a value for an error message: JSON where there is JSON for it."""
    if type(value) is bytes or type(value) is Callable:
        return type_name(value)
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return type_name(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def expect_type(value: Any, kind: type, what: str) -> Any:
    """Give the value back if it has the type (``float`` also takes integers), else TypeError."""
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise type_error(f"{what} must be {_WANTED[kind]}; got: {shown(value)}")
