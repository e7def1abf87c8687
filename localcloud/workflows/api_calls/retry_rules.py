"""Which errors are worth another attempt, for targets that are idempotent and for others."""

from typing import Any, Final

IDEMPOTENT_CODES: Final = frozenset({429, 502, 503, 504})
IDEMPOTENT_TAGS: Final = frozenset({"ConnectionError", "ConnectionFailedError", "TimeoutError"})
OTHER_CODES: Final = frozenset({429, 503})
OTHER_TAGS: Final = frozenset({"ConnectionFailedError"})


def _matches(error: Any, codes: frozenset[int], tags: frozenset[str]) -> bool:
    if type(error) is not dict:
        return False
    found = error.get("tags")
    if type(found) is not list:
        found = []
    if any(type(tag) is str and tag in tags for tag in found):
        return True
    code = error.get("code")
    return type(code) is int and code in codes


def idempotent(error: Any) -> bool:
    """Retry what is safe for idempotent targets; 500 is not among it."""
    return _matches(error, IDEMPOTENT_CODES, IDEMPOTENT_TAGS)


def non_idempotent(error: Any) -> bool:
    """Retry only what cannot have had an effect."""
    return _matches(error, OTHER_CODES, OTHER_TAGS)
