"""What a label may be, in which all of Google's APIs agree; each refuses it in words of its own.

https://cloud.google.com/resource-manager/docs/labels-overview#requirements
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 64
"""How many a resource may have."""

_LONGEST = 63
_MOST_BYTES = 128
_LETTERS = ("Ll", "Lo")
_NUMBERS = ("Nd", "Nl", "No")


def is_key(text: str) -> bool:
    """Say whether a text can be a label's key: it begins with a letter of any script."""
    return is_value(text) and unicodedata.category(text[:1] or " ") in _LETTERS


def is_value(text: str) -> bool:
    """Say whether a text can be a label's value, which may be empty."""
    return (
        len(text) <= _LONGEST
        and len(text.encode(errors="surrogatepass")) <= _MOST_BYTES
        and all(one in "-_" or unicodedata.category(one) in (*_LETTERS, *_NUMBERS) for one in text)
    )


def unfit(labels: Mapping[str, str]) -> tuple[str, str] | None:
    """Give the first label whose key or value cannot be, or None."""
    for key, value in labels.items():
        if not (is_key(key) and is_value(value)):
            return key, value
    return None
