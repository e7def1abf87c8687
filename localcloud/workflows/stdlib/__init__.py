"""The standard library: one module for each of the language's modules, one table for all."""

from typing import Final

from localcloud.workflows.stdlib import (  # noqa: F401 - importing fills the table
    base64_,
    events,
    experimental,
    hash_,
    helpers_,
    http,
    json_,
    lists,
    maps,
    math_,
    retry,
    sys_,
    text,
    time_,
    uuid_,
)
from localcloud.workflows.stdlib.registry import CONSTANTS, FUNCTIONS

MODULES: Final = frozenset(name.partition(".")[0] for name in FUNCTIONS if "." in name)

__all__ = ["CONSTANTS", "FUNCTIONS", "MODULES"]
