"""What the library sees of an execution."""

from collections.abc import Callable
from typing import Any, Protocol


class Run(Protocol):
    """The part of an execution that library functions may look at."""

    environment: dict[str, str]

    def observe(self, look: Callable[[], Any]) -> Any:
        """Look something up that may be different next time, and remember what was seen."""

    def now(self) -> float:
        """Give the time."""

    def create_callback(self, method: str) -> str:
        """Make an endpoint for a callback and give its URL."""
