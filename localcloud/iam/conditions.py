"""The part of IAM's condition language that grants in practice use; the rest is refused."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from localcloud.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'[^']*'|\"[^\"]*\")|(?P<word>[A-Za-z_][\w.]*)|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.]))"
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SUBJECTS = ("resource.name", "resource.service", "resource.type")
_STRING_METHODS = ("startsWith", "endsWith")


@dataclass(frozen=True)
class Circumstances:
    """What a condition can ask about."""

    name: str = ""
    service: str = ""
    type: str = ""
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    now: float = 0.0

    def subject(self, word: str) -> str:
        """Give the value of ``resource.name`` and its siblings."""
        return str(getattr(self, word.removeprefix("resource.")))


def compile_condition(expression: str) -> Callable[[Circumstances], bool]:
    """Turn an expression into a test; 400 for anything outside the part we know."""
    return _Parser(expression).whole()


class _Parser:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens: list[tuple[str, str]] = []
        at = 0
        text = expression.rstrip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise self.refuse(text[at:])
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def refuse(self, what: str) -> Exception:
        return invalid(
            f"Condition expression compilation failed. Unsupported at '{what}' in "
            f"'{self.expression}'; known: {', '.join(_SUBJECTS)}, ==, startsWith, endsWith, "
            "request.time < timestamp(...), api.getAttribute(...).hasOnly([...]), &&, ||, !"
        )

    def whole(self) -> Callable[[Circumstances], bool]:
        test = self.either()
        if self.at != len(self.tokens):
            raise self.refuse(self.tokens[self.at][1])
        return test

    def either(self) -> Callable[[Circumstances], bool]:
        tests = [self.both()]
        while self.accept("||"):
            tests.append(self.both())
        return lambda found: any(test(found) for test in tests)

    def both(self) -> Callable[[Circumstances], bool]:
        tests = [self.single()]
        while self.accept("&&"):
            tests.append(self.single())
        return lambda found: all(test(found) for test in tests)

    def single(self) -> Callable[[Circumstances], bool]:
        if self.accept("!"):
            inner = self.single()
            return lambda found: not inner(found)
        if self.accept("("):
            test = self.either()
            self.expect(")")
            return test
        word = self.word()
        if word == "api.getAttribute":
            return self.attribute()
        if word == "request.time":
            return self.moment()
        subject, _, method = word.rpartition(".")
        if subject in _SUBJECTS and method in _STRING_METHODS:
            self.expect("(")
            part = self.string()
            self.expect(")")
            if method == "startsWith":
                return lambda found: found.subject(subject).startswith(part)
            return lambda found: found.subject(subject).endswith(part)
        if word not in _SUBJECTS:
            raise self.refuse(word)
        if self.accept("=="):
            wanted = self.string()
            return lambda found: found.subject(word) == wanted
        self.expect("!=")
        unwanted = self.string()
        return lambda found: found.subject(word) != unwanted

    def moment(self) -> Callable[[Circumstances], bool]:
        """Read a comparison of the time of the call, for grants that end or begin."""
        sign = self.take("sign")
        compare = _COMPARISONS.get(sign)
        if compare is None or self.word() != "timestamp":
            raise self.refuse(sign)
        self.expect("(")
        text = self.string()
        self.expect(")")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise self.refuse(text) from None
        if moment.tzinfo is None:
            raise self.refuse(text)
        return lambda found: compare(found.now, moment.timestamp())

    def attribute(self) -> Callable[[Circumstances], bool]:
        self.expect("(")
        name = self.string()
        for sign in (",", "[", "]", ")", "."):
            self.expect(sign)
        if self.word() != "hasOnly":
            raise self.refuse(self.tokens[self.at - 1][1])
        self.expect("(")
        self.expect("[")
        allowed = [self.string()]
        while self.accept(","):
            allowed.append(self.string())
        self.expect("]")
        self.expect(")")
        return lambda found: set(found.attributes.get(name, ())) <= set(allowed)

    def accept(self, sign: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] == ("sign", sign):
            self.at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.accept(sign):
            raise self.refuse(self.tokens[self.at][1] if self.at < len(self.tokens) else "the end")

    def word(self) -> str:
        return self.take("word")

    def string(self) -> str:
        return self.take("string")[1:-1]

    def take(self, kind: str) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != kind:
            raise self.refuse(self.tokens[self.at][1] if self.at < len(self.tokens) else "the end")
        self.at += 1
        return self.tokens[self.at - 1][1]
