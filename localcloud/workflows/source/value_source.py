"""Reading values: a scalar is one expression or plain text, and so on into lists and maps."""

import re
from typing import Final

from localcloud.workflows.errors import Position
from localcloud.workflows.source.expressions import ExpressionError, is_expression, parse_scalar
from localcloud.workflows.source.nodes import Computed, Constant, ListValue, MapValue, Value
from localcloud.workflows.source.yaml_source import Node, Scalar, Sequence

_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)


def load_value(node: Node) -> Value:
    """Turn a YAML value into a constant or into something computed."""
    if isinstance(node, Scalar):
        return _scalar(node)
    if isinstance(node, Sequence):
        items = tuple(load_value(item) for item in node.items)
        if all(isinstance(item, Constant) for item in items):
            return Constant(
                [item.value for item in items if isinstance(item, Constant)], node.position
            )
        return ListValue(items, node.position)
    entries = tuple((_scalar(key), load_value(item)) for key, item in node.entries)
    constants = {
        key.value: item.value
        for key, item in entries
        if isinstance(key, Constant) and isinstance(item, Constant)
    }
    if len(constants) == len(entries):
        return Constant(constants, node.position)
    return MapValue(entries, node.position)


def _scalar(node: Scalar) -> Value:
    if not is_expression(node.value):
        return Constant(node.value, node.position)
    try:
        return Computed(parse_scalar(node.value), node.value, node.position, node.raw)
    except ExpressionError as error:
        error.position = node.position
        if error.offset is not None:
            lead = node.value.index("{") + 1
            error.position = place(node.value, node.raw, node.position, lead + error.offset)
        raise


def place(text: str, raw: str, position: Position, offset: int, length: int = 1) -> Position:
    """Give where a character of a scalar stands in the source.

    ``raw`` has what ``text`` no longer has: quotes, escapes, line breaks and indentation.
    """
    at = 0
    for character in text[:offset]:
        if not character.isspace():
            at = raw.find(character, at) + 1
    if not text[offset : offset + 1].isspace():
        at = max(at, raw.find(text[offset : offset + 1], at))
    before = raw[:at]
    line = before.count("\n")
    column = at - before.rfind("\n") if line else position.column + at
    return Position(position.line + line, column, length)


def place_of_symbol(symbol: str, text: str, raw: str, position: Position) -> Position:
    """Give where a name stands in an expression, the whole expression if it is not found."""
    bare = _STRING.sub(lambda found: " " * len(found.group()), text)
    found = re.search(rf"(?<![\w.]){re.escape(symbol)}(?!\w)", bare) if symbol else None
    if found is None or not raw:
        return position
    return place(text, raw, position, found.start(), len(symbol))
