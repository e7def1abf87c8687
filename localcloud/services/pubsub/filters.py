"""The filter language of subscriptions, compiled to a question about attributes.

Comparisons are ``attributes:key``, ``attributes.key = "v"``, ``attributes.key != "v"`` and
``hasPrefix(attributes.key, "v")``, joined by AND, OR and NOT. AND and OR side by side need
parentheses: the language gives neither precedence.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

from localcloud.errors import invalid

Match = Callable[[Mapping[str, str]], bool]

_LONGEST = 256
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<word>[A-Za-z0-9_][-A-Za-z0-9_]*)"""
    r"""|(?P<sign>!=|[=:.,()-]))"""
)


def compile_filter(text: str) -> Match:
    """Return the question *text* asks; an empty text lets every message through."""
    if not text.strip():
        return lambda _attributes: True
    if len(text.encode()) > _LONGEST:
        raise invalid(f"The filter is too long: at most {_LONGEST} bytes are allowed.")
    parser = _Parser(text)
    match = parser.expression()
    parser.end()
    return match


class _Parser:
    """Reads a filter from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def expression(self) -> Match:
        """Read terms joined by one operator."""
        terms = [self._term()]
        operator = self._peek()
        if operator not in {"AND", "OR"}:
            return terms[0]
        while self._peek() in {"AND", "OR"}:
            if self._peek() != operator:
                raise self._bad("AND and OR cannot be mixed without parentheses")
            self._next()
            terms.append(self._term())
        joined = all if operator == "AND" else any
        return lambda attributes: joined(term(attributes) for term in terms)

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self._peek() is not None:
            raise self._bad(f"unexpected '{self._peek()}'")

    def _term(self) -> Match:
        if self._peek() in {"NOT", "-"}:
            self._next()
            inner = self._term()
            return lambda attributes: not inner(attributes)
        if self._peek() == "(":
            self._next()
            grouped = self.expression()
            self._expect(")")
            return grouped
        if self._peek() == "hasPrefix":
            return self._prefix()
        return self._comparison()

    def _prefix(self) -> Match:
        self._expect("hasPrefix")
        self._expect("(")
        self._expect("attributes")
        self._expect(".")
        key = self._key()
        self._expect(",")
        start = self._string()
        self._expect(")")
        return lambda attributes: key in attributes and attributes[key].startswith(start)

    def _comparison(self) -> Match:
        self._expect("attributes")
        if self._peek() == ":":
            self._next()
            present = self._key()
            return lambda attributes: present in attributes
        self._expect(".")
        key = self._key()
        operator = self._peek()
        if operator not in {"=", "!="}:
            raise self._bad("expected '=' or '!='")
        self._next()
        value = self._string()
        if operator == "=":
            return lambda attributes: attributes.get(key) == value
        return lambda attributes: attributes.get(key) != value

    def _key(self) -> str:
        token = self._next()
        if token is None or token[0] in "=!:.,()-":
            raise self._bad("expected an attribute key")
        return _unquoted(token) if token.startswith('"') else token

    def _string(self) -> str:
        token = self._next()
        if token is None or not token.startswith('"'):
            raise self._bad("expected a string in double quotes")
        return _unquoted(token)

    def _expect(self, wanted: str) -> None:
        if self._next() != wanted:
            raise self._bad(f"expected '{wanted}'")

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str | None:
        token = self._peek()
        self._at += 1
        return token

    def _bad(self, why: str) -> Exception:
        return invalid(f"Invalid filter syntax: {why} (filter={self._text}).")


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise invalid(
                f"Invalid filter syntax: unexpected '{text[at:].strip()[0]}' (filter={text})."
            )
        tokens.append(found.group().strip())
        at = found.end()
    return tokens


def _unquoted(token: str) -> str:
    try:
        return str(ast.literal_eval(token))
    except (SyntaxError, ValueError) as error:
        raise invalid(f"Invalid filter syntax: bad string {token}.") from error
