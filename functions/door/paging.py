"""Pages: how many entries a list answers at once, and the token that leads to the next ones."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from functions.door import problems

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request

DEFAULT = 50
LARGEST = 1000
QUERY = frozenset({"page_size", "page_token"})


def size(request: Request) -> int:
    """Return how many entries the caller wants at once.

    Raises:
        ProblemError: 400 for anything but a number from 1 to 1000.
    """
    text = request.args.get("page_size", str(DEFAULT))
    # isascii: "²" is a digit to Python and no number.
    number = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST))
    if not (number and 1 <= int(text) <= LARGEST):
        raise problems.invalid(f"page_size must be a number from 1 to {LARGEST}")
    return int(text)


def token(value: str | None) -> str | None:
    """Return the token that leads behind `value`; None on the last page."""
    return None if value is None else base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def start(request: Request, is_ours: Callable[[str], bool]) -> str:
    """Return the value behind which the caller's page begins, "" for the first page.

    Raises:
        ProblemError: 400 for a token that this list did not give out.
    """
    text = request.args.get("page_token", "")
    try:
        value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        value = ""
    if text and not is_ours(value):
        raise problems.invalid("page_token is not one that this list gave out")
    return value
