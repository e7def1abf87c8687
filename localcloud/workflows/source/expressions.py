"""Parsing expressions: text to nodes, with Google's wording where it is known."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import lark

from localcloud.workflows import limits
from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.nodes import (
    Attribute,
    Binary,
    Call,
    Expression,
    Index,
    Listing,
    Literal,
    Name,
    Unary,
)

_GRAMMAR: Final = Path(__file__).with_name("grammar.lark")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "'": "'",
}


class ExpressionError(DeployError):
    """An expression cannot be parsed; ``offset`` says where in its text, if at one place."""

    def __init__(self, reason: str, offset: int | None = 0) -> None:
        """Remember the reason and the place."""
        super().__init__(reason)
        self.offset = offset


def _escape(found: re.Match[str]) -> str:
    code = found.group(1)
    if len(code) > 1:
        return chr(int(code[1:], 16))
    if code in _ESCAPES:
        return _ESCAPES[code]
    raise ExpressionError(f"token recognition error at: '\\{code}'", found.start())


def _unquote(token: str) -> str:
    text = _ESCAPE.sub(_escape, token[1:-1])
    if any("\ud800" <= character <= "\udfff" for character in text):
        # Two \u escapes may stand for one character beyond the basic plane.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@lark.v_args(inline=True)
class _ToNodes(lark.Transformer[lark.Token, Expression]):
    """Builds our nodes while lark parses."""

    def number(self, token: lark.Token) -> Expression:
        text = str(token)
        if text.isdigit():
            value = int(text)
            # One more than the greatest: its negative is the least integer, so unary() decides.
            if value > limits.INTEGER_MOST + 1:
                raise ExpressionError(f"integer {text} does not fit 64 bits", token.start_pos or 0)
            return Literal(value)
        return Literal(float(text))

    def string(self, token: lark.Token) -> Expression:
        return Literal(_unquote(str(token)))

    def true(self, _token: lark.Token) -> Expression:
        return Literal(True)  # noqa: FBT003 - the literal of the language

    def false(self, _token: lark.Token) -> Expression:
        return Literal(False)  # noqa: FBT003 - the literal of the language

    def null(self, _token: lark.Token) -> Expression:
        return Literal(None)

    def name(self, token: lark.Token) -> Expression:
        return Name(str(token))

    def attribute(self, subject: Expression, token: lark.Token) -> Expression:
        return Attribute(subject, str(token))

    def element(self, subject: Expression, key: Expression) -> Expression:
        return Index(subject, key)

    def call(self, function: Expression, *arguments: Expression | None) -> Expression:
        return Call(function, tuple(item for item in arguments if item is not None))

    def listing(self, *items: Expression | None) -> Expression:
        return Listing(tuple(item for item in items if item is not None))

    def unary(self, operator: lark.Token, operand: Expression) -> Expression:
        if (
            isinstance(operand, Literal)
            and type(operand.value) is int
            and operand.value > limits.INTEGER_MOST
        ):
            return Literal(limits.INTEGER_LEAST)
        return Unary(str(operator).lower(), operand)

    def binary(self, left: Expression, operator: lark.Token, right: Expression) -> Expression:
        return Binary(str(operator).lower(), left, right)

    def key(self, token: lark.Token) -> Any:
        return str(token)

    def index(self, key: Expression) -> Any:
        return key

    def target(self, token: lark.Token, *path: str | Expression) -> Expression:
        node: Expression = Name(str(token))
        for part in path:
            node = Attribute(node, part) if isinstance(part, str) else Index(node, part)
        return node


@lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    return lark.Lark(
        _GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        start=["start", "target"],
        maybe_placeholders=False,
        transformer=_ToNodes(),
    )


@lru_cache(maxsize=8192)
def parse(text: str, start: str = "start") -> Expression:
    """Parse the text of an expression (without ``${`` and ``}``) or of a target."""
    try:
        return _parser().parse(text, start=start)  # type: ignore[return-value]  # the transformer's
    except lark.exceptions.VisitError as error:
        if isinstance(error.orig_exc, DeployError):
            raise error.orig_exc from error
        raise
    except lark.exceptions.UnexpectedCharacters as error:
        reason = f"token recognition error at: '{error.char}'"
        raise ExpressionError(reason, error.pos_in_stream or 0) from error
    except lark.exceptions.UnexpectedToken as error:
        found = error.token
        if found.type == "$END":
            raise ExpressionError("unexpected end of expression", len(text)) from error
        reason = f"unexpected '{found}' in expression"
        raise ExpressionError(reason, found.start_pos or 0) from error
    except RecursionError as error:
        reason = "expression is nested too deeply"
        raise ExpressionError(reason) from error


def is_expression(value: object) -> bool:
    """Say whether a scalar is one expression; anything else is plain text."""
    if type(value) is not str:
        return False
    text = value.strip()
    return text.startswith("${") and text.endswith("}")


def parse_scalar(value: str) -> Expression:
    """Parse a scalar ``${...}``."""
    text = value.strip()
    if len(text) > limits.EXPRESSION_CHARACTERS:
        message = (
            f"expression is {len(text)} characters long, "
            f"the limit is {limits.EXPRESSION_CHARACTERS}"
        )
        raise ExpressionError(message, None)
    if not text[2:-1].strip():
        reason = "expression is empty"
        raise ExpressionError(reason)
    return parse(text[2:-1])
