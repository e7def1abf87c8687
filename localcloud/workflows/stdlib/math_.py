"""``math``: a few functions of numbers."""

import math
from typing import Any

from localcloud.workflows.code.operators import bounded, negate
from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type


@function("math.abs", "x")
def abs_(x: Any) -> Any:
    """Give the absolute value."""
    return negate(x) if expect_type(x, float, "x") < 0 else x


@function("math.floor", "x")
def floor(x: Any) -> int:
    """Give the greatest integer that is not greater."""
    number = expect_type(x, float, "x")
    if not math.isfinite(number):
        raise value_error(f"cannot round {number}")
    return bounded(int(number // 1))


@function("math.max", "x", "y")
def max_(x: Any, y: Any) -> Any:
    """Give the greater of two numbers."""
    return y if expect_type(y, float, "y") > expect_type(x, float, "x") else x


@function("math.min", "x", "y")
def min_(x: Any, y: Any) -> Any:
    """Give the smaller of two numbers."""
    return y if expect_type(y, float, "y") < expect_type(x, float, "x") else x
