"""What the filters of the Workflows APIs may ask about, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from localcloud.clock import rfc3339

Readers = dict[str, Callable[[str], str]]
"""What can be asked about, each with what reads a value."""


def as_time(text: str) -> str:
    """Read a time or a date as the APIs write times."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return rfc3339(found.timestamp())


def as_seconds(text: str) -> str:
    """Read a duration such as ``3.5s``, as the text of a number."""
    return str(float(text.removesuffix("s")))


def as_number(text: str) -> str:
    """Read a whole number."""
    return str(int(text))


def one_of(*choices: str, prefix: str = "") -> Callable[[str], str]:
    """Give what reads the name of an enum's value, with or without its prefix."""

    def read(text: str) -> str:
        for known in (text, prefix + text):
            if known in choices:
                return known
        raise ValueError(text)

    return read
