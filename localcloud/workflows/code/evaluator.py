"""Compiling expressions and values: from nodes to closures, in one scope of one program."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from localcloud.workflows import limits
from localcloud.workflows.api_calls import connectors
from localcloud.workflows.code import operators
from localcloud.workflows.code.closures import (
    Code,
    attribute,
    combine,
    function_code,
    helper_call,
    load,
    logical,
    make_list,
    make_map,
    routine_call,
)
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.code.scope import Scope
from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.nodes import (
    Attribute,
    Binary,
    Call,
    Computed,
    Constant,
    Expression,
    Index,
    Listing,
    ListValue,
    Literal,
    Name,
    Unary,
    Value,
)
from localcloud.workflows.source.value_source import place_of_symbol
from localcloud.workflows.stdlib import CONSTANTS, FUNCTIONS, MODULES
from localcloud.workflows.stdlib.registry import Kind
from localcloud.workflows.values import Callable as CallableValue

if TYPE_CHECKING:
    from localcloud.workflows.code.flow import RoutineCode


@dataclass(slots=True)
class Program:
    """The routines of a compiled workflow, by name."""

    routines: "dict[str, RoutineCode]" = field(default_factory=dict)


def unknown_symbol(symbol: str) -> DeployError:
    """Build the documented error for a name that nobody knows."""
    reason = f"symbol '{symbol}' is neither a variable nor a sub-workflow name"
    return DeployError(reason, symbol=symbol)


class Evaluator:
    """Compiles expressions in one scope of one program."""

    def __init__(self, program: Program, scope: Scope) -> None:
        """Remember where names are looked up."""
        self.program = program
        self.scope = scope

    # -- values ----------------------------------------------------------------------------

    def value(self, value: Value, what: str) -> Code:
        """Compile a value; ``what`` names it in deployment errors."""
        if isinstance(value, Constant):
            constant = value.value
            return Code(lambda _frame: constant)
        if isinstance(value, Computed):
            try:
                return self.expression(value.expression)
            except DeployError as error:
                error.reason = f"error evaluating {what}: {error.reason}"
                error.position = error.position or place_of_symbol(
                    error.symbol, value.text, value.raw, value.position
                )
                raise
        if isinstance(value, ListValue):
            return combine([self.part(item, what) for item in value.items], make_list)
        parts = []
        for key, item in value.entries:
            parts += [self.part(key, what), self.part(item, what)]
        return combine(parts, make_map)

    def part(self, value: Value, what: str) -> Code:
        """Compile a value inside a list or a map; errors in it have its own place."""
        code = self.value(value, what)
        if not isinstance(value, Computed):
            return code
        position, plain, waiting = value.position, code.plain, code.flow
        if plain is not None:

            def placed(frame: Frame) -> Any:
                frame.at = position
                return plain(frame)

            return Code(placed)
        assert waiting is not None

        def flow(frame: Frame) -> Generator[Any, Any, Any]:
            frame.at = position
            return (yield from waiting(frame))

        return Code(flow=flow)

    # -- expressions -----------------------------------------------------------------------

    def expression(self, node: Expression) -> Code:
        """Compile an expression."""
        return _COMPILERS[type(node)](self, node)

    def literal(self, node: Literal) -> Code:
        """Compile a constant."""
        constant = node.value
        if type(constant) is int and constant > limits.INTEGER_MOST:
            raise DeployError(f"integer {constant} does not fit 64 bits")
        return Code(lambda _frame: constant)

    def name(self, node: Name) -> Code:
        """Compile a variable, or a subworkflow as a value."""
        found = self.scope.find(node.name)
        if found is not None:
            return Code(load(*found))
        routine = self.program.routines.get(node.name)
        if routine is None or node.name == "main":
            raise unknown_symbol(node.name)
        reference = CallableValue(node.name, routine)
        return Code(lambda _frame: reference)

    def _library_name(self, node: Expression) -> str | None:
        """Give the dotted name if this is one and no variable hides it."""
        found = _dotted(node)
        if found is None or self.scope.find(found.partition(".")[0]) is not None:
            return None
        return found

    def attribute(self, node: Attribute) -> Code:
        """Compile ``subject.key``, or something of the library that is a value."""
        library = self._library_name(node)
        if library is not None:
            if library in CONSTANTS:
                constant = CONSTANTS[library]
                return Code(lambda _frame: constant)
            for prefix in CONSTANTS:
                if library.startswith(prefix + "."):
                    inner = self.expression(node.subject)
                    return combine([inner], lambda subject: operators.element(subject, node.key))
            if library in FUNCTIONS:
                raise DeployError(f"function '{library}' must be called")
            head = library.partition(".")[0]
            raise unknown_symbol(library if head in MODULES else head)
        key = node.key
        subject = self.expression(node.subject)
        if subject.plain is not None:
            return Code(attribute(subject.plain, key))
        return combine([subject], lambda value: operators.element(value, key))

    def index(self, node: Index) -> Code:
        """Compile ``subject[key]``."""
        parts = [self.expression(node.subject), self.expression(node.key)]
        return combine(parts, operators.element)

    def listing(self, node: Listing) -> Code:
        """Compile a list."""
        return combine([self.expression(item) for item in node.items], make_list)

    def unary(self, node: Unary) -> Code:
        """Compile ``-`` and ``not``."""
        operand = self.expression(node.operand)
        if node.operator == "-":
            return combine([operand], operators.negate)
        return combine([operand], lambda value: not operators.boolean(value, "not"))

    def binary(self, node: Binary) -> Code:
        """Compile an operator between two operands."""
        left, right = self.expression(node.left), self.expression(node.right)
        if node.operator in ("and", "or"):
            return logical(node.operator, left, right)
        return combine([left, right], operators.BINARY[node.operator])

    def call(self, node: Call) -> Code:
        """Compile a call of a library function or a subworkflow."""
        # A variable can hold nothing that is called, so a variable of that name does not matter.
        name = _dotted(node.function)
        if name is None:
            raise DeployError("only library functions and subworkflows can be called")
        arguments = [self.expression(argument) for argument in node.arguments]
        routine = self.program.routines.get(name) if name != "main" else None
        if routine is not None:
            return routine_call(routine, arguments)
        if name in connectors.HELPERS:
            return helper_call(connectors.HELPERS[name], arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            if name.startswith("googleapis."):
                raise DeployError(
                    f"blocking call '{name}' cannot be used in an expression", symbol=name
                )
            head = name.partition(".")[0]
            if self.scope.find(head) is None and head not in MODULES:
                raise unknown_symbol(head)
            reason = f"symbol '{name}' is neither a function nor a sub-workflow name"
            raise DeployError(reason, symbol=name)
        if function.kind is Kind.BLOCKING:
            raise DeployError(
                f"blocking call '{name}' cannot be used in an expression", symbol=name
            )
        if not function.required <= len(arguments) <= len(function.parameters):
            wanted = ", ".join(function.parameters)
            message = f"function '{name}' takes ({wanted}), {len(arguments)} arguments given"
            raise DeployError(message, symbol=name)
        return function_code(function, arguments)


def _dotted(node: Expression) -> str | None:
    parts: list[str] = []
    while isinstance(node, Attribute):
        parts.append(node.key)
        node = node.subject
    return ".".join([node.name, *reversed(parts)]) if isinstance(node, Name) else None


_COMPILERS: Final[dict[type, Callable[[Evaluator, Any], Code]]] = {
    Literal: Evaluator.literal,
    Name: Evaluator.name,
    Attribute: Evaluator.attribute,
    Index: Evaluator.index,
    Listing: Evaluator.listing,
    Unary: Evaluator.unary,
    Binary: Evaluator.binary,
    Call: Evaluator.call,
}
