"""List filters in the form of AIP-160 that Google's clients use: ``labels.a=b AND name:x``."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.service import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.store import Resource

_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>!=|<=|>=|=~|!~|[()=<>:]|-(?=[A-Za-z(]))"
    r"|(?P<word>[^\s()=<>:!\"'](?:[^\s()=<>:!\"']|\"[^\"]*\")*))"
)

Test = Any
_COMPARE: dict[str, Callable[[Any, str], bool]] = {
    "=": lambda value, wanted: _equals(value, wanted),  # noqa: PLW0108 - defined below
    "!=": lambda value, wanted: not _equals(value, wanted),
    ":": lambda value, wanted: _has(value, wanted),  # noqa: PLW0108 - defined below
    "<": lambda value, wanted: value is not None and _order(value, wanted) < 0,
    "<=": lambda value, wanted: value is not None and _order(value, wanted) <= 0,
    ">": lambda value, wanted: value is not None and _order(value, wanted) > 0,
    ">=": lambda value, wanted: value is not None and _order(value, wanted) >= 0,
    "=~": lambda value, wanted: bool(re.search(wanted, _text(value))),
    "!~": lambda value, wanted: not re.search(wanted, _text(value)),
}


def filtered(
    items: Sequence[Resource],
    expression: str | None,
    *,
    order: Mapping[str, Sequence[str]] | None = None,
    fields: Mapping[str, Callable[[str], str]] | None = None,
) -> list[Resource]:
    """Keep the items that match; 400 for an expression outside the language.

    ``order`` names fields whose values compare by rank, such as log severities. ``fields`` are
    the only ones that can be asked about, each with what reads a value (ValueError refuses it).
    """
    if not expression or not expression.strip():
        return list(items)
    test = _Parser(expression, order or {}, fields).whole()
    return [item for item in items if test(item)]


class _Parser:
    def __init__(
        self,
        expression: str,
        order: Mapping[str, Sequence[str]],
        fields: Mapping[str, Callable[[str], str]] | None,
    ) -> None:
        self.expression = expression
        self.order = order
        self.fields = fields
        self.tokens: list[tuple[str, str]] = []
        at, text = 0, expression.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self.refuse(text[at:])
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def refuse(self, what: str) -> Exception:
        return invalid(f"Invalid filter '{self.expression}': unexpected '{what}'.")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def whole(self) -> Test:
        test = self.either()
        if self.peek()[0] != "end":
            raise self.refuse(self.peek()[1])
        return test

    def either(self) -> Test:
        tests = [self.both()]
        while self.peek() == ("word", "OR"):
            self.take()
            tests.append(self.both())
        return lambda item: any(test(item) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self.peek() not in {("end", "the end"), ("sign", ")"), ("word", "OR")}:
            if self.peek() == ("word", "AND"):
                self.take()
            tests.append(self.single())
        return lambda item: all(test(item) for test in tests)

    def single(self) -> Test:
        kind, text = self.take()
        if (kind, text) in {("word", "NOT"), ("sign", "-")}:
            inner = self.single()
            return lambda item: not inner(item)
        if (kind, text) == ("sign", "("):
            test = self.either()
            if self.take() != ("sign", ")"):
                raise self.refuse("the end")
            return test
        if kind not in {"word", "string"} or (kind == "word" and text in {"AND", "OR"}):
            raise self.refuse(text)
        name = text if kind == "word" else _unquoted(text)
        sign_kind, sign = self.peek()
        if sign_kind != "sign" or sign not in _COMPARE:
            if self.fields is not None:
                raise self.refuse(name)
            return lambda item: name.lower() in str(item).lower()
        self.take()
        value_kind, raw = self.take()
        if value_kind not in {"word", "string"}:
            raise self.refuse(raw)
        wanted = _unquoted(raw) if value_kind == "string" else raw
        return self.comparison(name, sign, wanted)

    def comparison(self, name: str, sign: str, wanted: str) -> Test:
        ranks = self.order.get(name)
        compare = _COMPARE[sign]
        if ranks is not None and sign in {"<", "<=", ">", ">="}:
            if wanted not in ranks:
                raise self.refuse(wanted)
            return lambda item: compare(
                ranks.index(item.get(name, ranks[0])), str(ranks.index(wanted))
            )
        path = _path(name)
        if self.fields is not None:
            read = self.fields.get(camel(path[0]))
            if read is None:
                raise self.refuse(name)
            try:
                wanted = wanted if sign == ":" else read(wanted)
            except ValueError:
                raise self.refuse(wanted) from None
        return lambda item: compare(_lookup(item, path), wanted)


def _path(name: str) -> list[str]:
    return [
        _unquoted(part) if part[:1] in {'"', "'"} else part
        for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", name)
    ]


def _lookup(item: Any, path: list[str]) -> Any:
    for index, part in enumerate(path):
        if isinstance(item, list):
            return [_lookup(one, path[index:]) for one in item]
        if not isinstance(item, dict):
            return None
        rest = ".".join(path[index:])
        if rest in item:
            # a label's key may itself contain dots
            return item[rest]
        item = item.get(part, item.get(camel(part)))
    return item


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equals(value: Any, wanted: str) -> bool:
    if isinstance(value, list):
        return any(_equals(item, wanted) for item in value)
    return _text(value) == wanted


def _has(value: Any, wanted: str) -> bool:
    if isinstance(value, dict):
        return wanted == "*" or wanted in value
    if isinstance(value, list):
        return any(_has(item, wanted) for item in value)
    return value is not None and (wanted == "*" or wanted.lower() in _text(value).lower())


def _order(value: Any, wanted: str) -> int:
    try:
        left, right = float(value), float(wanted)
    except (TypeError, ValueError):
        before, after = _moment(_text(value)), _moment(wanted)
        if before is not None and after is not None:
            return (before > after) - (before < after)
        return (_text(value) > wanted) - (_text(value) < wanted)
    return (left > right) - (left < right)


def _moment(text: str) -> datetime | None:
    """Read a time or a date, so that fractions of seconds do not matter to the comparison."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
