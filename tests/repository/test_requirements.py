"""What ships is pinned to the last package, so that a function built tomorrow is today's."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def test_whatever_the_functions_need_is_pinned() -> None:
    """A package that only another one asks for would be whichever is newest on the day."""
    pinned = {canonicalize_name(wanted.name) for wanted in _listed("requirements.txt")}

    assert _needed() - pinned == set()


def test_each_pin_is_what_the_tests_ran_with() -> None:
    """Of everything in requirements.txt, and so of what requirements.in names."""
    differing = {
        wanted.name: metadata.version(wanted.name)
        for name in ("requirements.txt", "requirements.in")
        for wanted in _listed(name)
        if str(wanted.specifier) != f"=={metadata.version(wanted.name)}"
    }

    assert differing == {}


def _listed(name: str) -> list[Requirement]:
    lines = (re.sub(r"\s*#.*", "", line) for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def _needed() -> set[str]:
    """Return the names of what requirements.in asks for, and of all that those ask for here."""
    found: set[str] = set()
    waiting = _listed("requirements.in")
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        for required in _requires(name, wanted.extras):
            if canonicalize_name(required.name) not in found:
                waiting.append(required)
        found.add(name)
    return found


def _requires(name: str, extras: set[str]) -> Iterator[Requirement]:
    for text in metadata.requires(name) or ():
        required = Requirement(text)
        marker = required.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield required
