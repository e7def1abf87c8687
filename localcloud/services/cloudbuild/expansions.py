"""What ``${NAME...}`` may do to a value when a build has dynamicSubstitutions: as bash does it.

The forms are those of cloud.google.com/build/docs/configuring-builds/use-bash-and-bindings-in-substitutions.
"""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from localcloud.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable

_PART = re.compile(r":\s*(-?\d+)(?::\s*(-?\d+))?")
_DEFAULT = re.compile(r"(:?[-+])(.*)", re.DOTALL)
_REPLACE = re.compile(r"/([/#%]?)((?:\\.|[^/\\])+)(?:/(.*))?", re.DOTALL)
_CASES: dict[str, Callable[[str], str]] = {
    "": lambda value: value,
    "^^": str.upper,
    ",,": str.lower,
    "^": lambda value: value[:1].upper() + value[1:],
    ",": lambda value: value[:1].lower() + value[1:],
}


def apply(value: str, how: str) -> str:
    """Return a value after what stands behind its name between the braces."""
    if how in _CASES:
        return _CASES[how](value)
    if found := _PART.fullmatch(how):
        return _part(value, int(found[1]), found[2])
    if found := _DEFAULT.fullmatch(how):
        present = bool(value)
        return (found[2] if present else "") if found[1].endswith("+") else value or found[2]
    if found := _REPLACE.fullmatch(how):
        return _replaced(value, found[1], found[2].replace("\\/", "/"), found[3] or "")
    if how[:1] in {"#", "%"} and len(how) > 1:
        longest = how[1] == how[0]
        return _cut(value, how[0], how[2:] if longest else how[1:], longest=longest)
    raise invalid(f"invalid build: cannot expand '{how}' in a substitution")


def _part(value: str, start: int, length: str | None) -> str:
    begin = max(0, len(value) + start) if start < 0 else start
    if length is None:
        return value[begin:]
    size = int(length)
    return value[begin : begin + size] if size >= 0 else value[begin : len(value) + size]


def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _cut(value: str, side: str, pattern: str, *, longest: bool) -> str:
    rule = _regex(pattern)
    sizes = range(len(value) + 1)
    for size in reversed(sizes) if longest else sizes:
        piece = value[:size] if side == "#" else value[len(value) - size :]
        if rule.match(piece):
            return value[size:] if side == "#" else value[: len(value) - size]
    return value


def _replaced(value: str, where: str, pattern: str, by: str) -> str:
    inner = translate(pattern).removesuffix(r"\Z").removesuffix(r"\z")
    at = {"#": rf"\A{inner}", "%": rf"{inner}\Z"}.get(where, inner)
    return re.sub(at, lambda _: by, value, count=0 if where == "/" else 1)
