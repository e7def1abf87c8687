"""What expressions are compiled to: closures, which know nothing of the syntax tree.

``Code.plain`` is a function of the frame. An expression that calls a subworkflow may have to
wait, so it has ``Code.flow`` instead, a generator function.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.workflows.api_calls import connectors
from localcloud.workflows.code import operators
from localcloud.workflows.code.frames import UNSET, Frame
from localcloud.workflows.errors import DeployError, type_error
from localcloud.workflows.stdlib.registry import Function, Kind
from localcloud.workflows.values import shown

if TYPE_CHECKING:
    from localcloud.workflows.code.flow import RoutineCode

Plain = Callable[[Frame], Any]
Flow = Callable[[Frame], Generator[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Code:
    """A compiled expression: one of the two is set."""

    plain: Plain | None = None
    flow: Flow | None = None

    def run(self, frame: Frame) -> Generator[Any, Any, Any]:
        """Evaluate, waiting if need be."""
        if self.plain is not None:
            return self.plain(frame)
        assert self.flow is not None
        return (yield from self.flow(frame))


def run_all(codes: list[Code], frame: Frame) -> Generator[Any, Any, list[Any]]:
    """Evaluate one after the other, waiting if need be."""
    values = []
    for code in codes:
        values.append((yield from code.run(frame)))  # noqa: PERF401 - no yield in comprehensions
    return values


def combine(parts: list[Code], build: Callable[..., Any]) -> Code:
    """Evaluate the parts in order and give their values to ``build``."""
    plains = [part.plain for part in parts if part.plain is not None]
    if len(plains) == len(parts):
        if len(plains) == 1:
            (only,) = plains
            return Code(lambda frame: build(only(frame)))
        if len(plains) == 2:  # noqa: PLR2004 - the operators, which are most of all
            left, right = plains
            return Code(lambda frame: build(left(frame), right(frame)))
        return Code(lambda frame: build(*[plain(frame) for plain in plains]))

    def flow(frame: Frame) -> Generator[Any, Any, Any]:
        return build(*(yield from run_all(parts, frame)))

    return Code(flow=flow)


def function_code(function: Function, arguments: list[Code]) -> Code:
    """Compile the application of a library function to positional arguments."""
    implementation = function.implementation
    if function.kind is Kind.PURE and not function.counted:
        return combine(arguments, implementation)
    needs_run = function.kind is Kind.CONTEXT
    plains = [argument.plain for argument in arguments if argument.plain is not None]
    if len(plains) == len(arguments):

        def plain(frame: Frame) -> Any:
            values = [argument(frame) for argument in plains]
            frame.run.count()
            return implementation(frame.run, *values) if needs_run else implementation(*values)

        return Code(plain)

    def flow(frame: Frame) -> Generator[Any, Any, Any]:
        values = yield from run_all(arguments, frame)
        frame.run.count()
        return implementation(frame.run, *values) if needs_run else implementation(*values)

    return Code(flow=flow)


def helper_call(connector: connectors.Connector, arguments: list[Code]) -> Code:
    """Compile the call of a helper method of a connector, which samples use in expressions."""
    if not len(connector.required) <= len(arguments) <= len(connector.parameters):
        wanted = ", ".join(connector.parameters)
        raise DeployError(f"'{connector.name}' takes ({wanted}), {len(arguments)} arguments given")

    def flow(frame: Frame) -> Generator[Any, Any, Any]:
        values = {}
        for name, argument in zip(connector.parameters, arguments, strict=False):
            values[name] = yield from argument.run(frame)
        frame.run.count()
        return (yield from connector.run(frame, values))

    return Code(flow=flow)


def routine_call(routine: "RoutineCode", arguments: list[Code]) -> Code:
    """Compile the call of a subworkflow, which may have to wait."""
    routine.check_positional(len(arguments))

    def flow(frame: Frame) -> Generator[Any, Any, Any]:
        values = yield from run_all(arguments, frame)
        frame.run.count()
        return (yield from routine.invoke(frame, routine.bind_positional(values)))

    return Code(flow=flow)


def logical(operator: str, left: Code, right: Code) -> Code:
    """Compile ``and`` and ``or``, which leave out what does not matter any more."""
    decided = operator == "or"
    check = operators.boolean
    if left.plain is not None and right.plain is not None:
        one, other = left.plain, right.plain
        if decided:
            return Code(lambda f: check(one(f), operator) or check(other(f), operator))
        return Code(lambda f: check(one(f), operator) and check(other(f), operator))

    def flow(frame: Frame) -> Generator[Any, Any, Any]:
        if check((yield from left.run(frame)), operator) is decided:
            return decided
        return check((yield from right.run(frame)), operator)

    return Code(flow=flow)


def load(hops: int, place: int) -> Plain:
    """Give the closure that reads a variable; one to which nothing was assigned yet is null.

    docs/tutorials/callbacks-firestore compares the result of a call in a ``try`` that failed
    with null.
    """

    def near(frame: Frame) -> Any:
        value = frame.values[place]
        return None if value is UNSET else value

    def far(frame: Frame) -> Any:
        for _ in range(hops):
            frame = frame.up  # type: ignore[assignment]  # as many as the scope has counted
        value = frame.values[place]
        return None if value is UNSET else value

    return far if hops else near


def attribute(subject: Plain, key: str) -> Plain:
    """Give the closure that reads a key of a map."""
    element = operators.element

    def read(frame: Frame) -> Any:
        value = subject(frame)
        if type(value) is dict and key in value:
            return value[key]
        return element(value, key)

    return read


def make_list(*items: Any) -> list[Any]:
    """Make a list of its items."""
    return list(items)


def make_map(*parts: Any) -> dict[Any, Any]:
    """Make a map of keys and values in turn; TypeError for what cannot be a key."""
    result = {}
    for key, item in zip(parts[::2], parts[1::2], strict=True):
        if type(key) is not str and type(key) is not int:
            raise type_error(f"a map key must be a string or an integer; got: {shown(key)}")
        result[key] = item
    return result
