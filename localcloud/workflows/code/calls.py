"""Compiling call steps: subworkflows, library functions and connectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from localcloud.workflows.api_calls import connectors
from localcloud.workflows.code.closures import Code
from localcloud.workflows.code.evaluator import Program
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import DeployError, Position
from localcloud.workflows.source.nodes import CallStep
from localcloud.workflows.stdlib import FUNCTIONS
from localcloud.workflows.stdlib.registry import Function, Kind

if TYPE_CHECKING:
    from localcloud.workflows.code.store import Store

Arguments = list[tuple[str, Code, Position]]
Apply = Callable[[Frame, dict[str, Any]], Running]
Runner = tuple[str | None, Callable[[Frame], Any], bool]


@dataclass(frozen=True, slots=True)
class Callee:
    """What a call step calls: its parameters in order, how it is checked and how it is run."""

    name: str
    parameters: Sequence[str]
    check: Callable[[Sequence[str]], None]
    apply: Apply
    # The documents of the APIs give parameters no order; only helpers have one.
    unordered: bool = False

    def names(self, given: Sequence[str | None]) -> list[str]:
        """Give the names of the arguments; those without one have the names of their places.

        docs/reference/stdlib/sys/log shows a list of arguments beside the usual map.
        """
        if len(given) > len(self.parameters) and None in given:
            wanted = ", ".join(self.parameters)
            message = f"function '{self.name}' takes ({wanted}), {len(given)} arguments given"
            raise DeployError(message)
        if None in given and self.unordered:
            raise DeployError(f"the arguments of '{self.name}' must have names")
        return [
            self.parameters[place] if name is None else name for place, name in enumerate(given)
        ]


def callee(program: Program, step: CallStep) -> Callee:
    """Find what a call step calls, and check its arguments."""
    try:
        found = _find(program, step.function)
        found.check(found.names([name for name, _ in step.arguments]))
    except DeployError as error:
        error.position = error.position or step.position
        raise
    return found


def compile_call(
    step: CallStep, called: Callee, arguments: Arguments, result: "Store | None"
) -> Runner:
    """Compile a call step."""
    apply = called.apply
    store = None if result is None else result.plain
    position = step.word

    def flow(frame: Frame) -> Running:
        values: dict[str, Any] = {}
        for name, code, place in arguments:
            frame.at = place
            values[name] = code.plain(frame) if code.plain else (yield from code.run(frame))
        frame.at = position
        run = frame.run
        if run.settings.call_log is not None:
            value = yield from _logged(frame, step.function, values, apply)
        else:
            value = yield from apply(frame, values)
        frame.at = position
        if store is not None:
            store(frame, value)

    return "STEP_CALL", flow, True


def _logged(frame: Frame, name: str, values: dict[str, Any], apply: Apply) -> Running:
    """Call, and tell the call log of the call and how it ended."""
    log = frame.run.settings.call_log
    assert log is not None
    log(frame.run, {"event": "call", "function": name, "arguments": values, "frame": frame})
    try:
        value = yield from apply(frame, values)
    except Exception as error:
        log(frame.run, {"event": "exception", "function": name, "error": error, "frame": frame})
        raise
    log(frame.run, {"event": "return", "function": name, "value": value, "frame": frame})
    return value


def _find(program: Program, name: str) -> Callee:
    routine = program.routines.get(name)
    if routine is not None and name != "main":
        return Callee(name, routine.parameters, routine.check_named, routine.invoke)
    if name.startswith("googleapis."):
        connector = connectors.find(name)
        check = partial(_check_connector, connector)
        unordered = name not in connectors.HELPERS
        return Callee(name, connector.parameters, check, connector.run, unordered)
    function = FUNCTIONS.get(name)
    if function is None:
        message = f"symbol '{name}' is neither a function nor a sub-workflow name"
        raise DeployError(message)
    check = partial(_check, name, function.parameters, function.parameters[: function.required])
    blocks = function.kind is Kind.BLOCKING
    apply = function.implementation if blocks else _immediate(function)
    return Callee(name, function.parameters, check, apply)


def _check(
    name: str, parameters: Sequence[str], required: Sequence[str], given: Sequence[str]
) -> None:
    for argument in given:
        if argument not in parameters:
            wanted = ", ".join(parameters) or "none"
            message = f"function '{name}' has no argument '{argument}' (it has: {wanted})"
            raise DeployError(message)
    for argument in required:
        if argument not in given:
            message = f"argument '{argument}' of function '{name}' is missing"
            raise DeployError(message)


def _check_connector(connector: connectors.Connector, given: Sequence[str]) -> None:
    # What stands under ``query`` is known only when the call is made.
    elsewhere = connector.in_query if "query" in given else frozenset()
    required = [name for name in connector.required if name not in elsewhere]
    _check(connector.name, connector.parameters, required, given)


def _immediate(function: Function) -> Apply:
    """Give a library function that does not wait the form of one that does."""
    needs_run = function.kind is Kind.CONTEXT

    def apply(frame: Frame, values: dict[str, Any]) -> Running:
        positions = [values[name] for name in function.parameters if name in values]
        if needs_run:
            return function.implementation(frame.run, *positions)
        return function.implementation(*positions)
        yield  # makes this a generator, as functions that wait are

    return apply
