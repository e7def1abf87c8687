"""The Logging query language: what it has beyond the filters of other APIs.

Texts are compared without regard to case, regular expressions excepted; functions such as
``log_id("x")`` and ``SEARCH("text")``; refusals name line, column and token
(cloud.google.com/logging/docs/view/logging-query-language).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from localcloud.listing import Language, compiled
from localcloud.severities import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.store import Resource


def query(expression: str | None) -> Callable[[Resource], bool]:
    """Return the question an expression asks of an entry; 400 if it is none."""
    asked: Callable[[Resource], bool] = compiled(
        expression, order={"severity": SEVERITIES}, language=_LANGUAGE
    )
    return asked


def _log_id(arguments: list[str]) -> Callable[[Any], bool]:
    (wanted,) = arguments
    return lambda entry: unquote(str(entry["logName"])).partition("/logs/")[2] == wanted


def _search(arguments: list[str]) -> Callable[[Any], bool]:
    """Find all words of a text, in one field or in the whole entry."""
    *fields, text = arguments
    if len(fields) > 1:
        raise ValueError(text)
    if fields:
        quoted = " ".join(f'{fields[0]}:"{word}"' for word in text.split())
    else:
        quoted = " ".join(f'"{word}"' for word in text.split())
    asked: Callable[[Any], bool] = compiled(quoted)
    return asked


def _refusal(expression: str, token: str, place: int) -> str:
    before = expression[:place]
    line, column = before.count("\n") + 1, place - (before.rfind("\n") + 1)
    if place >= len(expression.rstrip()):
        return f"Unparseable filter: syntax error at line {line}, column {column}, token '<EOF>'"
    return f"Unparseable filter: syntax error at line {line}, column {column}, token '{token}'"


_LANGUAGE = Language(
    functions={"log_id": _log_id, "SEARCH": _search}, ignores_case=True, refusal=_refusal
)
