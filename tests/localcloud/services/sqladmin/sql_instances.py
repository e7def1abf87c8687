"""A small Cloud SQL instance, and what a refusal says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

if TYPE_CHECKING:
    from collections.abc import Callable

P = "berth-local"
SETTINGS = {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"}


def body(name: str = "pool", **changes: Any) -> dict[str, Any]:
    """Return the body of a small instance."""
    settings = {**SETTINGS, **changes.pop("settings", {})}
    whole = {"name": name, "region": "europe-west1", "databaseVersion": "POSTGRES_18"}
    return {**whole, "settings": settings, **changes}


def refused(call: Callable[[], object]) -> tuple[int, str, str]:
    """Return code, reason and message of a refusal."""
    with pytest.raises(HttpError) as error:
        call()
    found = error.value.error_details[0]
    return error.value.status_code, found["reason"], found["message"]
