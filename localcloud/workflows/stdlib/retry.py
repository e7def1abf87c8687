"""``retry`` and the retry policies of ``http``: predicates and ready-made policies."""

from typing import Any, Final

from localcloud.workflows.api_calls import retry_rules
from localcloud.workflows.stdlib.registry import CONSTANTS, FUNCTIONS, function
from localcloud.workflows.values import Callable


@function("retry.always", "e", counted=False)
def always(_error: Any) -> bool:
    """Retry on every error."""
    return True


@function("retry.never", "e", counted=False)
def never(_error: Any) -> bool:
    """Retry on no error."""
    return False


function("http.default_retry_predicate", "e", counted=False)(retry_rules.idempotent)
function("http.default_retry_predicate_non_idempotent", "e", counted=False)(
    retry_rules.non_idempotent
)

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
