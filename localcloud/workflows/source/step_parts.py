"""What the readers of steps share: names, targets of ``next``, maps with known keys."""

import re
from typing import Final, NoReturn

from localcloud.workflows.errors import DeployError, Position
from localcloud.workflows.source.expressions import is_expression
from localcloud.workflows.source.nodes import Target
from localcloud.workflows.source.yaml_source import Mapping, Node, Scalar

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS: Final = frozenset({"true", "false", "null", "and", "or", "not", "in"})

Parts = dict[object, Node]


def refuse(reason: str, node: Node | Position) -> NoReturn:
    """Refuse the source, at the place of a node."""
    raise DeployError(reason, position=node if isinstance(node, Position) else node.position)


def next_step(parts: Parts) -> Target | None:
    """Read where a step says to go on; None if it does not say."""
    node = parts.get("next")
    if node is None:
        return None
    if (
        not isinstance(node, Scalar)
        or type(node.value) not in (str, int)
        or is_expression(node.value)
    ):
        refuse("'next' must be the name of a step", node)
    return Target(str(node.value), node.position)


def variable(node: Node, what: str) -> str:
    """Read the name of a variable."""
    if (
        not isinstance(node, Scalar)
        or type(node.value) is not str
        or not NAME.fullmatch(node.value)
        or node.value.lower() in WORDS
    ):
        shown = f"'{node.value}' " if isinstance(node, Scalar) else ""
        refuse(f"{what} {shown}is not a variable name", node)
    return node.value


def mapping(node: Node, what: str, allowed: tuple[str, ...]) -> Parts:
    """Read a map that has no other keys than these."""
    if not isinstance(node, Mapping):
        refuse(f"{what} must be a map", node)
    for key, _ in node.entries:
        if key.value not in allowed:
            refuse(f"unexpected key '{key.value}' in {what}", key)
    return {key.value: item for key, item in node.entries}
