"""The step entries of executions: live from memory, afterwards from the store.

They are stored in short rows, many to a record: an execution may have a hundred thousand.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from localcloud.clock import rfc3339
from localcloud.errors import invalid, not_found
from localcloud.listing import filtered
from localcloud.service import Call, Resource, page
from localcloud.services.workflowexecutions.records import API, STEPS, drop
from localcloud.services.workflows.filters import Readers, as_number, as_time, one_of
from localcloud.services.workflows.sorting import ordered
from localcloud.workflows.history import CANCELLED, FAILED, IN_PROGRESS, SUCCEEDED, Entry
from localcloud.workflows.report import payload_text

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.workflows.running.machine import Execution

_ROWS = 5000
_FIELDS = tuple(field.name for field in fields(Entry))
_NUMBER, _KIND, _PARENT, _THREAD, _ERROR = (
    _FIELDS.index(name) for name in ("number", "kind", "parent", "thread", "error")
)
_PROGRESS = {
    "STEP_FOR_ITERATION": "PROGRESS_TYPE_FOR",
    "STEP_CONDITION": "PROGRESS_TYPE_SWITCH",
    "STEP_RETRY": "PROGRESS_TYPE_RETRY",
    "STEP_PARALLEL_BRANCH_ENTRY": "PROGRESS_TYPE_PARALLEL_BRANCH",
}
_IN_PARALLEL = "PROGRESS_TYPE_PARALLEL_FOR"
_ORDER = ("entryId", "createTime", "updateTime", "routine", "step", "stepType", "state")
_FILTERS: Readers = {
    "entryId": as_number,
    "createTime": as_time,
    "updateTime": as_time,
    "routine": str,
    "step": str,
    "stepType": str,
    "parent": as_number,
    "state": one_of(IN_PROGRESS, SUCCEEDED, FAILED, CANCELLED, prefix="STATE_"),
}


def get(call: Call) -> Resource:
    """Show one step entry."""
    key, _, number = call.cloud.by_id(call["name"]).partition("/stepEntries/")
    steps = _steps(call.cloud, key)
    if not number.isdecimal() or not 0 < int(number) <= len(steps.rows):
        raise not_found(f"Resource '{call['name']}' was not found")
    return steps.shown(int(number) - 1)


def list_entries(call: Call) -> Resource:
    """List the step entries of an execution in the order they began."""
    steps = _steps(call.cloud, call.cloud.by_id(call["parent"]))
    skip = call.get("skip") or 0
    if skip < 0:
        raise invalid("Invalid value for skip: must not be negative")
    kept: list[Resource] = [{"place": place} for place in range(len(steps.rows))]
    if call.get("filter") or call.get("orderBy"):
        asked = [steps.asked(place) for place in range(len(steps.rows))]
        asked = filtered(asked, call.get("filter"), fields=_FILTERS)
        kept = ordered(asked, call.get("orderBy"), _ORDER, default="entryId")
    answer = page(call, kept[skip:], "stepEntries", default=1000, most=1000)
    shown = [steps.shown(entry["place"]) for entry in answer.get("stepEntries", [])]
    return {**answer, "stepEntries": shown, "totalSize": len(kept)}


def save(cloud: Cloud, key: str, execution: Execution) -> None:
    """Keep the entries of an execution that has ended; a step it was in the middle of is cancelled."""
    collection = cloud.store.of(STEPS)
    found = execution.history.entries
    for entry in found:
        if entry.state == IN_PROGRESS:
            entry.state = CANCELLED
            entry.updated = execution.now()
    with cloud.store.lock():
        for first in range(0, len(found), _ROWS):
            rows = [_row(entry) for entry in found[first : first + _ROWS]]
            collection.put(f"{key}/{first:09d}", {"detailed": execution.detailed, "rows": rows})


def forget(cloud: Cloud, key: str) -> None:
    """Remove the entries of an execution."""
    drop(cloud, STEPS, key)


def read(cloud: Cloud, key: str, *, parent: str | None = None) -> list[Resource]:
    """Give the step entries of an execution, all or those directly below one.

    The execution is named with the project's ID; the topmost steps are below ``0``.
    """
    steps = _steps(cloud, key)
    below = range(len(steps.rows)) if parent is None else steps.below(int(parent))
    return [steps.shown(place) for place in below]


def _steps(cloud: Cloud, key: str) -> _Steps:
    from localcloud.services.workflowexecutions.runner import runner_of

    if cloud.store.of(API).find(key) is None:
        raise not_found(f"Resource '{cloud.by_number(key)}' was not found")
    running = runner_of(cloud).running.get(key)
    if running is not None:
        live = [_row(entry) for entry in list(running.history.entries)]
        return _Steps(cloud.by_number(key), live, detailed=running.detailed)
    records = [record for _, record in cloud.store.of(STEPS).under(key + "/")]
    rows = [row for record in records for row in record["rows"]]
    return _Steps(cloud.by_number(key), rows, detailed=any(one["detailed"] for one in records))


def _row(entry: Entry) -> list[Any]:
    row = [getattr(entry, name) for name in _FIELDS]
    if entry.error is not None:
        row[_ERROR] = payload_text(entry.error)
    return row


class _Steps:
    """The rows of one execution; what is shown of one is made only when it is asked for."""

    def __init__(self, execution: str, rows: list[list[Any]], *, detailed: bool) -> None:
        self.rows = rows
        self._execution = execution
        self._detailed = detailed

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for row in self.rows:
            found.setdefault(row[_PARENT], []).append(row[_NUMBER])
        return found

    def below(self, parent: int) -> list[int]:
        """Give the places of the steps directly below one."""
        return [number - 1 for number in self._children.get(parent, ())]

    def _entry(self, place: int) -> Entry:
        return Entry(**dict(zip(_FIELDS, self.rows[place], strict=True)))

    def asked(self, place: int) -> Resource:
        """Give what filters and orders may ask about; numbers are numbers."""
        entry = self._entry(place)
        return {
            "place": place,
            "entryId": entry.number,
            "createTime": rfc3339(entry.created),
            "updateTime": rfc3339(entry.updated or entry.created),
            "routine": entry.routine,
            "step": entry.step,
            "stepType": entry.kind,
            "parent": entry.parent,
            "state": entry.state,
        }

    @cached_property
    def _around(self) -> dict[int, tuple[int, int, int]]:
        """Give the neighbours of each step in its block and branch, and its number in its kind."""
        latest: dict[tuple[int, int], int] = {}
        ranks: Counter[tuple[int, str]] = Counter()
        found: dict[int, tuple[int, int, int]] = {}
        for row in self.rows:
            number, parent = row[_NUMBER], row[_PARENT]
            before = latest.get((parent, row[_THREAD]), 0)
            if before:
                found[before] = (found[before][0], number, found[before][2])
            latest[parent, row[_THREAD]] = number
            ranks[parent, row[_KIND]] += 1
            found[number] = (before, 0, ranks[parent, row[_KIND]])
        return found

    def shown(self, place: int) -> Resource:
        """Give a step entry as the API shows it."""
        entry = self._entry(place)
        before, after, rank = self._around[entry.number]
        metadata: Resource = {"threadId": str(entry.thread)}
        if entry.kind in _PROGRESS:
            around = self.rows[entry.parent - 1][_KIND] if entry.parent else ""
            in_parallel = around == "STEP_PARALLEL_FOR"
            metadata["progressType"] = _IN_PARALLEL if in_parallel else _PROGRESS[entry.kind]
            metadata["progressNumber"] = str(rank)
        if self._detailed and entry.expected:
            metadata["expectedIteration"] = str(entry.expected)
        shown: Resource = {
            "name": f"{self._execution}/stepEntries/{entry.number}",
            "entryId": str(entry.number),
            "createTime": rfc3339(entry.created),
            "updateTime": rfc3339(entry.updated or entry.created),
            "routine": entry.routine,
            "step": entry.step,
            "stepType": entry.kind,
            "state": entry.state,
            "navigationInfo": {
                "children": [str(child) for child in self._children.get(entry.number, ())],
                "parent": str(entry.parent),
                "previous": str(before),
                "next": str(after),
            },
            "stepEntryMetadata": metadata,
        }
        if entry.error is not None:
            shown["exception"] = {"payload": entry.error}
        if entry.variables is not None:
            shown["variableData"] = {"variables": json.loads(entry.variables)}
        return shown
