"""The line of a source that a message is about, with a caret under the place."""

import unicodedata
from typing import Final

from localcloud.workflows.errors import Position

_MOST: Final = 160  # characters of a line; JSON sources may have only one
_BEFORE: Final = 60  # of them in front of the place
_GUTTER: Final = "    "


def excerpt(source: str, position: Position) -> list[str]:
    """Give the line and the carets under it; nothing if there is no such line."""
    lines = source.removeprefix("\ufeff").split("\n")
    if position.line > len(lines):
        return []
    line = lines[position.line - 1].rstrip("\r")
    start = position.column - 1
    length = max(1, min(position.length, len(line) - start))
    first = max(0, start - _BEFORE) if len(line) > _MOST else 0
    shown = line[first : first + _MOST]
    under = shown[: start - first]
    marked = shown[start - first : start - first + length]
    head = "..." if first else ""
    tail = "..." if first + _MOST < len(line) else ""
    blank = " " * len(head) + "".join(_blank(character) for character in under)
    carets = "^" * max(1, sum(map(_width, marked)))
    return [f"{_GUTTER}{head}{shown}{tail}", f"{_GUTTER}{blank}{carets}"]


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _blank(character: str) -> str:
    return "\t" if character == "\t" else " " * _width(character)
