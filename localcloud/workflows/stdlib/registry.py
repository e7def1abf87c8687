"""The table of library functions: name, parameters, implementation."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Implementation = Callable[..., Any]


class Kind(Enum):
    """What a function needs, and where it may be used."""

    PURE = "computes from its arguments"
    CONTEXT = "also looks at the execution, which it is given first"
    BLOCKING = "may wait, so it is a generator and stands in call steps only"


@dataclass(frozen=True, slots=True)
class Function:
    """A library function. Blocking ones get a map of the arguments given, the others positions."""

    name: str
    parameters: tuple[str, ...]
    required: int
    implementation: Implementation
    kind: Kind
    counted: bool


FUNCTIONS: Final[dict[str, Function]] = {}
CONSTANTS: Final[dict[str, Any]] = {}


def _register(
    kind: Kind, name: str, parameters: tuple[str, ...], *, counted: bool
) -> Callable[[Implementation], Implementation]:
    names = tuple(parameter.rstrip("?") for parameter in parameters)
    required = sum(not parameter.endswith("?") for parameter in parameters)

    def decorate(implementation: Implementation) -> Implementation:
        if name in FUNCTIONS:
            message = f"library function {name} is defined twice"
            raise ValueError(message)
        FUNCTIONS[name] = Function(name, names, required, implementation, kind, counted)
        return implementation

    return decorate


def function(
    name: str, *parameters: str, counted: bool = True
) -> Callable[[Implementation], Implementation]:
    """Put a function of its arguments into the table; optional parameters end in ``?``."""
    return _register(Kind.PURE, name, parameters, counted=counted)


def context_function(name: str, *parameters: str) -> Callable[[Implementation], Implementation]:
    """Put a function that is also given the execution into the table."""
    return _register(Kind.CONTEXT, name, parameters, counted=True)


def blocking(name: str, *parameters: str) -> Callable[[Implementation], Implementation]:
    """Put a generator that is given the frame and a map of arguments into the table."""
    return _register(Kind.BLOCKING, name, parameters, counted=True)
