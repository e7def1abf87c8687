"""``retry`` and the retry policies of ``http``: predicates and ready-made policies."""

from typing import Any, Final

from localcloud.workflows.stdlib.registry import CONSTANTS, FUNCTIONS, function
from localcloud.workflows.values import Callable

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


@function("retry.always", "e", counted=False)
def always(_error: Any) -> bool:
    """Retry on every error."""
    return True


@function("retry.never", "e", counted=False)
def never(_error: Any) -> bool:
    """Retry on no error."""
    return False


@function("http.default_retry_predicate", "e", counted=False)
def default_retry_predicate(error: Any) -> bool:
    """Retry what is safe for idempotent targets; 500 is not among it."""
    return _matches(error, IDEMPOTENT_CODES, IDEMPOTENT_TAGS)


@function("http.default_retry_predicate_non_idempotent", "e", counted=False)
def default_retry_predicate_non_idempotent(error: Any) -> bool:
    """Retry only what cannot have had an effect."""
    return _matches(error, OTHER_CODES, OTHER_TAGS)


PREDICATES: Final = (
    "retry.always",
    "retry.never",
    "http.default_retry_predicate",
    "http.default_retry_predicate_non_idempotent",
)
for _name in PREDICATES:
    CONSTANTS[_name] = Callable(_name, FUNCTIONS[_name])

BACKOFF: Final = {"initial_delay": 1, "max_delay": 60, "multiplier": 1.25}
CONSTANTS["retry.default_backoff"] = BACKOFF
CONSTANTS["http.default_retry"] = {
    "predicate": CONSTANTS["http.default_retry_predicate"],
    "max_retries": 5,
    "backoff": BACKOFF,
}
CONSTANTS["http.default_retry_non_idempotent"] = {
    "predicate": CONSTANTS["http.default_retry_predicate_non_idempotent"],
    "max_retries": 5,
    "backoff": BACKOFF,
}
