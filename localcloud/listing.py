"""List filters in the form of AIP-160 that Google's clients use: ``labels.a=b AND name:x``.

As there, NOT binds closest, then OR, and AND last; nothing between two terms means AND.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.service import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.store import Resource

_TOKEN = re.compile(
    r"(?:\s|--[^\n]*)*(?:(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
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


def _unexpected(expression: str, what: str, _: int) -> str:
    return f"Invalid filter '{expression}': unexpected '{what}'."


@dataclass(frozen=True)
class Language:
    """What one API's filters have beyond those of the others.

    Attributes:
        functions: what a function's arguments ask of an item, by its name.
        ignores_case: whether texts are equal when only their case differs.
        refusal: says what is wrong with an expression: the expression, the part, and where it is.
    """

    functions: Mapping[str, Callable[[list[str]], Test]] = field(default_factory=dict)
    ignores_case: bool = False
    refusal: Callable[[str, str, int], str] = _unexpected


GENERAL = Language()


def filtered(
    items: Sequence[Resource],
    expression: str | None,
    *,
    order: Mapping[str, Sequence[str]] | None = None,
    fields: Mapping[str, Callable[[str], str]] | None = None,
    language: Language = GENERAL,
) -> list[Resource]:
    """Keep the items that match; 400 for an expression outside the language.

    ``order`` names fields whose values compare by rank, such as log severities. ``fields`` are
    the only ones that can be asked about, each with what reads a value (ValueError refuses it).
    """
    test = compiled(expression, order=order, fields=fields, language=language)
    return [item for item in items if test(item)]


def compiled(
    expression: str | None,
    *,
    order: Mapping[str, Sequence[str]] | None = None,
    fields: Mapping[str, Callable[[str], str]] | None = None,
    language: Language = GENERAL,
) -> Test:
    """Return the question an expression asks of an item; see `filtered`."""
    parser = _Parser(expression or "", order or {}, fields, language)
    return parser.whole() if parser.tokens else lambda _: True


class _Parser:
    def __init__(
        self,
        expression: str,
        order: Mapping[str, Sequence[str]],
        fields: Mapping[str, Callable[[str], str]] | None,
        language: Language,
    ) -> None:
        self.expression = expression
        self.order = order
        self.fields = fields
        self.language = language
        self.tokens: list[tuple[str, str]] = []
        self.places: list[int] = []
        self.at, at, text = 0, 0, re.sub(r"(?:\s|--[^\n\"']*)*\Z", "", expression)
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                self.places.append(at)
                self.at = len(self.places)
                raise self.refuse(text[at:])
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            self.places.append(found.start(found.lastgroup))
            at = found.end()
        self.places.append(at)

    def refuse(self, what: str) -> Exception:
        # What was taken last is what is wrong.
        place = self.places[max(0, min(self.at, len(self.places)) - 1)]
        return invalid(self.language.refusal(self.expression, what, place))

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def whole(self) -> Test:
        test = self.both(self.single)
        if self.peek()[0] != "end":
            raise self.refuse(self.take()[1])
        return test

    def both(self, leaf: Callable[[], Test]) -> Test:
        tests = [self.either(leaf)]
        while self.peek() not in {("end", "the end"), ("sign", ")")}:
            if self.peek() == ("word", "AND"):
                self.take()
            tests.append(self.either(leaf))
        return lambda item: all(test(item) for test in tests)

    def either(self, leaf: Callable[[], Test]) -> Test:
        tests = [leaf()]
        while self.peek() == ("word", "OR"):
            self.take()
            tests.append(leaf())
        return lambda item: any(test(item) for test in tests)

    def group(self, leaf: Callable[[], Test]) -> Test:
        test = self.both(leaf)
        if self.take() != ("sign", ")"):
            raise self.refuse("the end")
        return test

    def single(self) -> Test:
        kind, text = self.take()
        if (kind, text) in {("word", "NOT"), ("sign", "-")}:
            inner = self.single()
            return lambda item: not inner(item)
        if (kind, text) == ("sign", "("):
            return self.group(self.single)
        if kind not in {"word", "string"} or (kind == "word" and text in {"AND", "OR"}):
            raise self.refuse(text)
        name = text if kind == "word" else _unquoted(text)
        sign_kind, sign = self.peek()
        if kind == "word" and sign == "(" and name in self.language.functions:
            return self.called(name)
        if sign_kind != "sign" or sign not in _COMPARE:
            if self.fields is not None:
                raise self.refuse(name)
            return lambda item: _mentions(item, name.lower())
        self.take()
        return self.value(name, sign)

    def called(self, name: str) -> Test:
        self.take()
        arguments: list[str] = []
        while self.peek() not in {("end", "the end"), ("sign", ")")}:
            kind, text = self.take()
            texts = [_unquoted(text)] if kind == "string" else text.split(",")
            arguments += [one for one in texts if one]
        if self.take() != ("sign", ")"):
            raise self.refuse("the end")
        try:
            return self.language.functions[name](arguments)
        except ValueError:
            raise self.refuse(name) from None

    def value(self, name: str, sign: str) -> Test:
        """Read a value, or several in parentheses: ``severity=(ERROR OR ALERT)``."""
        kind, raw = self.take()
        if (kind, raw) == ("sign", "("):
            return self.group(lambda: self.value(name, sign))
        if (kind, raw) == ("word", "NOT"):
            inner = self.value(name, sign)
            return lambda item: not inner(item)
        if kind not in {"word", "string"} or (kind == "word" and raw in {"AND", "OR"}):
            raise self.refuse(raw)
        return self.comparison(name, sign, _unquoted(raw) if kind == "string" else raw)

    def comparison(self, name: str, sign: str, wanted: str) -> Test:
        ranks = self.order.get(name)
        compare = _COMPARE[sign]
        if ranks is not None and sign in {"<", "<=", ">", ">=", "=", "!="}:
            wanted = wanted.upper() if self.language.ignores_case else wanted
            if wanted not in ranks:
                raise self.refuse(wanted)
            return lambda item: compare(
                ranks.index(item.get(name, ranks[0])), str(ranks.index(wanted))
            )
        path = _path(name)
        if sign in {"=~", "!~"}:
            try:
                re.compile(wanted)
            except re.error:
                raise self.refuse(wanted) from None
        if self.fields is not None:
            read = self.fields.get(camel(path[0]))
            if read is None:
                raise self.refuse(name)
            try:
                wanted = wanted if sign == ":" else read(wanted)
            except ValueError:
                raise self.refuse(wanted) from None
        if self.language.ignores_case and sign in {"=", "!="}:
            return lambda item: compare(_lowered(_lookup(item, path)), wanted.lower())
        return lambda item: compare(_lookup(item, path), wanted)


def _mentions(item: Any, text: str) -> bool:
    """Say whether any value in an item holds a text; names of fields do not count."""
    if isinstance(item, dict):
        return any(_mentions(value, text) for value in item.values())
    if isinstance(item, list):
        return any(_mentions(value, text) for value in item)
    return text in _text(item).lower()


def _lowered(value: Any) -> Any:
    if isinstance(value, list):
        return [_lowered(item) for item in value]
    return value.lower() if isinstance(value, str) else value


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
