"""What the operators of the language do, and which types they refuse."""

import math
from collections.abc import Callable
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.code.frames import UNSET, Frame
from localcloud.workflows.errors import WorkflowError, failure, type_error, value_error
from localcloud.workflows.values import (
    equal,
    shown,
    size_of,
    sized_copy,
    string_bytes,
    text_of,
    type_name,
)


def _mismatch(operator: str, left: Any, right: Any) -> WorkflowError:
    return type_error(
        f"unsupported operand types for '{operator}': {type_name(left)} and {type_name(right)}"
    )


def bounded(number: int) -> int:
    """Give an integer back if it fits 64 bits."""
    if limits.INTEGER_LEAST <= number <= limits.INTEGER_MOST:
        return number
    # The documentation leaves open what overflow does, so it is refused.
    raise value_error("integer overflow: the result does not fit 64 bits")


def _finite(number: Any) -> Any:
    if type(number) is float and not math.isfinite(number):
        raise value_error("overflow: the result does not fit a double")
    return number


def _is_number(value: Any) -> bool:
    kind = type(value)
    return kind is int or kind is float


def _zero(operator: str) -> WorkflowError:
    return failure("ZeroDivisionError", f"second operand of '{operator}' is zero")


def add(left: Any, right: Any) -> Any:
    """Add numbers, or join strings; a number or boolean beside a string becomes text.

    The table of implicit conversions is in docs/reference/syntax/datatypes.
    """
    one, other = type(left), type(right)
    if one is int and other is int:
        return bounded(left + right)
    if one is str or other is str:
        before, after = text_of(left), text_of(right)
        if before is not None and after is not None:
            joined = before + after
            string_bytes(joined)
            return joined
    elif _is_number(left) and _is_number(right):
        return _finite(left + right)
    raise _mismatch("+", left, right)


def subtract(left: Any, right: Any) -> Any:
    """Subtract numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left - right)
    if _is_number(left) and _is_number(right):
        return _finite(left - right)
    raise _mismatch("-", left, right)


def multiply(left: Any, right: Any) -> Any:
    """Multiply numbers."""
    if type(left) is int and type(right) is int:
        return bounded(left * right)
    if _is_number(left) and _is_number(right):
        return _finite(left * right)
    raise _mismatch("*", left, right)


def divide(left: Any, right: Any) -> float:
    """Divide numbers; the result is a double even for 6 / 2."""
    if not (_is_number(left) and _is_number(right)):
        raise _mismatch("/", left, right)
    if right == 0:
        raise _zero("/")
    return float(_finite(left / right))


def floor_divide(left: Any, right: Any) -> Any:
    """Divide numbers and round towards minus infinity."""
    if not (_is_number(left) and _is_number(right)):
        raise _mismatch("//", left, right)
    if right == 0:
        raise _zero("//")
    result = left // right
    return bounded(result) if type(result) is int else _finite(result)


def remainder(left: Any, right: Any) -> Any:
    """Give the remainder; its sign for negative operands is not documented, so refused."""
    if not (_is_number(left) and _is_number(right)):
        raise _mismatch("%", left, right)
    if right == 0:
        raise _zero("%")
    if left < 0 or right < 0:
        raise value_error("the sign of '%' for negative numbers is not documented; avoid it")
    return left % right


def negate(value: Any) -> Any:
    """Change the sign of a number."""
    if type(value) is int:
        return bounded(-value)
    if type(value) is float:
        return -value
    raise type_error(f"unsupported operand type for unary '-': {type_name(value)}")


def contains(left: Any, right: Any) -> bool:
    """Say whether a key is in a map or an element is in a list."""
    kind = type(right)
    if kind is dict:
        return type(left) in (str, int) and left in right
    if kind is list:
        return any(equal(left, item) for item in right)
    raise type_error(f"The argument of 'in' must be a dict or an array; got: {shown(right)}")


def _ordered(operator: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if _is_number(left) and _is_number(right):
            return compare(left, right)
        raise _mismatch(operator, left, right)

    return ordered


def boolean(value: Any, operator: str) -> bool:
    """Give a boolean back; there is no truthiness."""
    if value is True or value is False:
        return bool(value)
    raise type_error(f"operand of '{operator}' must be a boolean; got: {shown(value)}")


BINARY: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "//": floor_divide,
    "%": remainder,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered("<", lambda left, right: left < right),
    "<=": _ordered("<=", lambda left, right: left <= right),
    ">": _ordered(">", lambda left, right: left > right),
    ">=": _ordered(">=", lambda left, right: left >= right),
    "in": contains,
}


def element(subject: Any, key: Any) -> Any:
    """Give ``subject[key]`` or ``subject.key``."""
    kind = type(subject)
    if kind is dict:
        if type(key) is str or type(key) is int:
            try:
                return subject[key]
            except KeyError:
                message = f"KeyError: key not found: {key}"
                raise failure("KeyError", message, "LookupError") from None
        raise type_error(f"a map key must be a string or an integer; got: {shown(key)}")
    if kind is list:
        if type(key) is not int:
            raise type_error(f"a list index must be an integer; got: {shown(key)}")
        if 0 <= key < len(subject):
            return subject[key]
        message = f"index {key} is out of range for a list of {len(subject)}"
        raise failure("IndexError", message, "LookupError")
    raise type_error(f"a value of type {type_name(subject)} has no element {shown(key)}")


def assign_path(frame: Frame, place: int, keys: list[Any], value: Any) -> None:
    """Put a copy of a value at a path into a variable: map keys are made, list indices exist."""
    container = frame.values[place]
    if container is UNSET:
        container = None
    for key in keys[:-1]:
        container = element(container, key)
    last = keys[-1]
    copied, size = sized_copy(value)
    kind = type(container)
    if kind is dict:
        if type(last) is not str and type(last) is not int:
            raise type_error(f"a map key must be a string or an integer; got: {shown(last)}")
        before = size_of(container[last]) if last in container else -size_of(last)
    elif kind is list:
        before = size_of(element(container, last))
    else:
        raise type_error(f"cannot assign to an element of a value of type {type_name(container)}")
    container[last] = copied
    frame.grow(place, size - before)
