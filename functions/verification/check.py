"""One thing that was looked at, and whether looking again later can help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """What was proved, or what was found instead.

    Args:
        name: What was looked at.
        ok: Whether it was as it must be.
        detail: What was found, for people.
        retry: Whether rights or routes that are still spreading may explain it.
    """

    name: str
    ok: bool
    detail: str
    retry: bool = False

    def document(self) -> dict[str, Any]:
        """Return it as the workflow reads it."""
        return {"name": self.name, "ok": self.ok, "detail": self.detail}


class CheckFailedError(Exception):
    """Ends a proof at the first thing that is not as it must be."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.detail)
        self.check = check


def failed(name: str, detail: str, *, retry: bool = False) -> CheckFailedError:
    """Make the failure of a check."""
    return CheckFailedError(Check(name, ok=False, detail=detail, retry=retry))
