"""Reading YAML (or JSON) as Cloud Workflows does: few scalar types, positions, no duplicates."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from localcloud.workflows import limits
from localcloud.workflows.errors import DeployError, Position

_TAG: Final = "tag:yaml.org,2002:"
# An alias may stand in many places; this bounds what a small source can grow into.
_MOST_NODES: Final = 200_000
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)$")
_DOUBLE: Final = re.compile(
    r"[-+]?(?:[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$"
)
_BOOLEAN: Final = re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")
_FLOW_EXPRESSION: Final = re.compile(r"[\[{,:]\s*\$\{")
_NULL: Final = re.compile(r"(?:~|null|Null|NULL|)$")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar and where it stands; ``value`` has its type already.

    ``raw`` is how a string is written, quotes and escapes and all, if it holds an expression.
    """

    value: Any
    position: Position
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """A map; its keys are scalars and all different."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    position: Position


Node: TypeAlias = Scalar | Sequence | Mapping


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C if built
    """A loader whose plain scalars are only those of the language."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


for _kind, _pattern in (("bool", _BOOLEAN), ("null", _NULL), ("int", _INTEGER), ("float", _DOUBLE)):
    # None: the pattern is tried whatever the first character is.
    _Loader.yaml_implicit_resolvers.setdefault(None, []).append((_TAG + _kind, _pattern))


class _FlowLoader(yaml.SafeLoader):
    """Takes expressions without quotes in ``[...]`` and ``{...}``, which is not quite YAML.

    docs/reference/stdlib/sys/log: ``args: [${myVar}, "ERROR"]``.
    """

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers
    found = False

    def scan_plain(self) -> yaml.ScalarToken:
        """Read a plain scalar; in a list or map in brackets an expression ends at its brace."""
        if not self.flow_level or self.prefix(2) != "${":
            return super().scan_plain()
        start = self.get_mark()
        text = ""
        quoted = False
        while (character := self.peek()) != "\0":
            size = 2 if quoted and character == "\\" else 1
            text += self.prefix(size)
            self.forward(size)
            quoted ^= character == '"'
            if character == "}" and not quoted:
                break
        self.allow_simple_key = False
        self.found = True
        return yaml.ScalarToken(" ".join(text.split("\n")), True, start, self.get_mark())  # noqa: FBT003 - PyYAML's own order


def _integer(text: str, position: Position) -> int:
    number = int(text)
    if not limits.INTEGER_LEAST <= number <= limits.INTEGER_MOST:
        message = f"integer {text} does not fit 64 bits"
        raise DeployError(message, position=position)
    return number


def _is_merge(key: yaml.ScalarNode) -> bool:
    return key.value == "<<" and not key.style  # a quoted one is a key like any other


class _Builder:
    """Turns PyYAML's nodes into ours."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: yaml.Node) -> Node:
        start, end = node.start_mark, node.end_mark
        length = end.column - start.column if end.line == start.line else 1
        position = Position(start.line + 1, start.column + 1, max(1, length))
        self.count += 1
        if self.count > _MOST_NODES:
            message = "aliases make the source too large"
            raise DeployError(message, position=position)
        if isinstance(node, yaml.ScalarNode):
            raw = self.text[start.index : end.index] if "${" in node.value else ""
            return Scalar(self._scalar(node, position), position, raw)
        if id(node) in self.open:
            message = "an alias must not contain itself"
            raise DeployError(message, position=position)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                self._expect_tag(node, "seq", position)
                return Sequence(tuple(self.build(item) for item in node.value), position)
            self._expect_tag(node, "map", position)
            return self._mapping(node, position)
        finally:
            self.open.discard(id(node))

    def _expect_tag(self, node: yaml.Node, kind: str, position: Position) -> None:
        if node.tag != _TAG + kind:
            message = f"tag {node.tag} is not supported"
            raise DeployError(message, position=position)

    def _mapping(self, node: yaml.Node, position: Position) -> Mapping:
        entries = []
        seen: set[tuple[type, object]] = set()
        merged: list[Node] = []
        for key_node, value_node in node.value:
            key = self.build(key_node)
            if isinstance(key_node, yaml.ScalarNode) and _is_merge(key_node):
                found = self.build(value_node)
                merged += found.items if isinstance(found, Sequence) else (found,)
                continue
            if not isinstance(key, Scalar) or type(key.value) not in (str, int):
                message = "a map key must be a string or an integer"
                raise DeployError(message, position=key.position)
            if (type(key.value), key.value) in seen:
                message = f"duplicate key '{key.value}'"
                raise DeployError(message, position=key.position)
            seen.add((type(key.value), key.value))
            entries.append((key, self.build(value_node)))
        for source in merged:
            # What stands in the map itself goes before what is merged, and first before later.
            if not isinstance(source, Mapping):
                message = "'<<' merges a map or a list of maps"
                raise DeployError(message, position=source.position)
            for key, value in source.entries:
                if (type(key.value), key.value) not in seen:
                    seen.add((type(key.value), key.value))
                    entries.append((key, value))
        return Mapping(tuple(entries), position)

    def _scalar(self, node: yaml.ScalarNode, position: Position) -> Any:
        text: str = node.value
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return text
        if kind == "null" and _NULL.match(text):
            return None
        if kind == "bool" and _BOOLEAN.match(text):
            return text.lower() == "true"
        if kind == "int" and _INTEGER.match(text):
            return _integer(text, position)
        if kind == "float" and (_DOUBLE.match(text) or _INTEGER.match(text)):
            return float(text)
        message = f"tag {node.tag} is not supported"
        raise DeployError(message, position=position)


def _from_json(value: object) -> Node:
    nowhere = Position(1, 1)
    if isinstance(value, dict):
        return Mapping(
            tuple((Scalar(key, nowhere), _from_json(item)) for key, item in value.items()), nowhere
        )
    if isinstance(value, list):
        return Sequence(tuple(_from_json(item) for item in value), nowhere)
    if isinstance(value, int) and not isinstance(value, bool):
        return Scalar(_integer(str(value), nowhere), nowhere)
    return Scalar(value, nowhere)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            message = f"duplicate key '{key}'"
            raise DeployError(message)
        found[key] = value
    return found


def _documents(text: str) -> list[yaml.Node | None]:
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.YAMLError:
        documents = _flow_documents(text)
        if documents is None:
            raise
        return documents


def _flow_documents(text: str) -> list[yaml.Node | None] | None:
    """Give the documents if expressions without quotes are all that is wrong with the source."""
    if _FLOW_EXPRESSION.search(text) is None:
        return None
    try:
        loader = _FlowLoader(text)
        documents = []
        while loader.check_node():
            documents.append(loader.get_node())
    except yaml.YAMLError:
        return None
    return documents if loader.found else None


def read(text: str) -> Node:
    """Read a source; raise DeployError where it is not YAML as the service takes it."""
    if len(text.encode()) > limits.SOURCE_BYTES:
        message = f"source is larger than {limits.SOURCE_BYTES} bytes"
        raise DeployError(message)
    text = text.removeprefix("\ufeff")
    try:
        documents = _documents(text)
    except yaml.YAMLError as error:
        # YAML takes nearly all JSON, but not JSON indented with tabs.
        if text.lstrip()[:1] in ("{", "["):
            try:
                return _from_json(json.loads(text, object_pairs_hook=_unique))
            except ValueError:
                pass  # the YAML error below says more: it has a line and a column
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        position = Position(mark.line + 1, mark.column + 1) if mark else None
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        place = f" (line {position.line}, column {position.column})" if position else ""
        message = f"invalid YAML: {problem}{place}"
        raise DeployError(message, position=position) from error
    if len(documents) != 1 or documents[0] is None:
        message = (
            "source is empty" if not documents or documents[0] is None else "more than one document"
        )
        raise DeployError(message)
    return _Builder(text).build(documents[0])
