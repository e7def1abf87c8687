"""Reading values: a scalar is one expression or plain text, and so on into lists and maps."""

from localcloud.workflows.errors import Position
from localcloud.workflows.expressions import ExpressionError, is_expression, parse_scalar
from localcloud.workflows.nodes import Computed, Constant, ListValue, MapValue, Value
from localcloud.workflows.yaml_source import Node, Scalar, Sequence


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
        return Computed(parse_scalar(node.value), node.value, node.position)
    except ExpressionError as error:
        place = node.position
        error.position = Position(place.line, place.column + 2 + error.offset)
        raise
