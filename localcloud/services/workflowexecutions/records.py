"""What is stored about executions beside their resources: entries, journals, callbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Resource

API = "workflowexecutions"
JOURNAL = "workflowexecutions.journal"
STEPS = "workflowexecutions.steps"
CALLBACKS = "workflowexecutions.callbacks"
KEPT_SECONDS = 90 * 24 * 3600.0
"""Executions are kept for 90 days after their end."""


def drop(cloud: Cloud, collection: str, execution: str) -> None:
    """Remove what a collection holds of one execution."""
    cloud.store.write(
        "delete from resources where api = ? and name >= ? and name < ?",
        collection,
        execution + "/",
        execution + "0",
    )


def drop_all(cloud: Cloud, execution: str) -> None:
    """Remove an execution and all that is stored about it."""
    cloud.store.write("delete from resources where api = ? and name = ?", API, execution)
    for collection in (JOURNAL, STEPS, CALLBACKS):
        drop(cloud, collection, execution)


def outlived(cloud: Cloud, execution: Resource) -> bool:
    """Say whether an execution ended so long ago that the service has forgotten it."""
    end = execution.get("endTime")
    return end is not None and seconds_of(end) + KEPT_SECONDS < cloud.clock.now()


def seconds_of(time: str) -> float:
    """Give the Unix time of a time as the API writes it."""
    return datetime.fromisoformat(time).astimezone(UTC).timestamp()


def duration(begun: str, now: float) -> str:
    """Give the time since an execution began as the API writes it."""
    return f"{max(0.0, now - seconds_of(begun)):.6f}".rstrip("0").rstrip(".") + "s"
