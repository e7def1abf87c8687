"""Carets stand under the place a message is about."""

from __future__ import annotations

import pytest

from localcloud.workflows.errors import Position
from localcloud.workflows.source.excerpt import excerpt

LINES: dict[str, tuple[str, Position, list[str]]] = {
    "one line": ("a\nb: oh\n", Position(2, 4, 2), ["    b: oh", "       ^^"]),
    "a tab before it": ("\ta\tbad", Position(1, 4, 3), ["    \ta\tbad", "    \t \t^^^"]),
    "wide characters before it": ("日本 bad", Position(1, 4, 3), ["    日本 bad", "         ^^^"]),
    "wide characters in it": ("日本", Position(1, 1, 2), ["    日本", "    ^^^^"]),
    "a combining character before it": (
        "e\u0301 bad",
        Position(1, 4, 3),
        ["    e\u0301 bad", "      ^^^"],
    ),
    "more than the line has": ("bad", Position(1, 2, 99), ["    bad", "     ^^"]),
    "the end of the line": ("bad", Position(1, 4), ["    bad", "       ^"]),
    "a line feed of another system": ("a\r\nbad\r\n", Position(2, 1, 3), ["    bad", "    ^^^"]),
    "what other tools take for a line end": (
        "a\u2028b\nbad",
        Position(2, 1, 3),
        ["    bad", "    ^^^"],
    ),
    "a byte order mark": ("\ufeffbad", Position(1, 1, 3), ["    bad", "    ^^^"]),
    "the middle of a long line": (
        "x" * 200 + "bad" + "y" * 200,
        Position(1, 201, 3),
        ["    ..." + "x" * 60 + "bad" + "y" * 97 + "...", "    " + " " * 63 + "^^^"],
    ),
    "no such line": ("a", Position(7, 1), []),
}


@pytest.mark.parametrize("name", LINES)
def test_excerpt(name: str) -> None:
    """The place is found by eye, whatever stands before it."""
    source, position, lines = LINES[name]
    assert excerpt(source, position) == lines
