"""The step entries of executions: live from memory, afterwards from the store.

They are stored in short rows, many to a record: an execution may have a hundred thousand.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields
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
    from collections.abc import Iterator

    from localcloud.cloud import Cloud
    from localcloud.workflows.machine import Execution

_ROWS = 5000
_FIELDS = tuple(field.name for field in fields(Entry))
_ERROR = _FIELDS.index("error")
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
    execution, _, number = call.cloud.by_id(call["name"]).partition("/stepEntries/")
    for entry in read(call.cloud, execution):
        if entry["entryId"] == number:
            return entry
    raise not_found(f"Resource '{call['name']}' was not found")


def list_entries(call: Call) -> Resource:
    """List the step entries of an execution in the order they began."""
    found = read(call.cloud, call.cloud.by_id(call["parent"]))
    for entry in found:
        # Numbers, so that they are compared and sorted as such.
        entry["entryId"] = int(entry["entryId"])
        entry["parent"] = entry["navigationInfo"]["parent"]
    kept = filtered(found, call.get("filter"), fields=_FILTERS)
    kept = ordered(kept, call.get("orderBy"), _ORDER, default="entryId")
    skip = call.get("skip") or 0
    if skip < 0:
        raise invalid("Invalid value for skip: must not be negative")
    answer = page(call, kept[skip:], "stepEntries", default=1000, most=1000)
    shown = [
        {**{key: value for key, value in entry.items() if key != "parent"}, "entryId": str(number)}
        for entry in answer.get("stepEntries", [])
        for number in (entry["entryId"],)
    ]
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


def read(cloud: Cloud, key: str) -> list[Resource]:
    """Give all step entries of an execution, by its resource name with the project's ID."""
    from localcloud.services.workflowexecutions.runner import runner_of

    if cloud.store.of(API).find(key) is None:
        raise not_found(f"Resource '{cloud.by_number(key)}' was not found")
    running = runner_of(cloud).running.get(key)
    if running is not None:
        rows = [_row(entry) for entry in list(running.history.entries)]
        detailed = running.detailed
    else:
        records = [record for _, record in cloud.store.of(STEPS).under(key + "/")]
        rows = [row for record in records for row in record["rows"]]
        detailed = any(record["detailed"] for record in records)
    found = [Entry(**dict(zip(_FIELDS, row, strict=True))) for row in rows]
    return list(_rendered(cloud.by_number(key), found, detailed=detailed))


def _row(entry: Entry) -> list[Any]:
    row = [getattr(entry, name) for name in _FIELDS]
    if entry.error is not None:
        row[_ERROR] = payload_text(entry.error)
    return row


def _rendered(parent: str, found: list[Entry], *, detailed: bool) -> Iterator[Resource]:
    """Give entries as the API shows them."""
    children: dict[int, list[str]] = {}
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    latest: dict[tuple[int, int], int] = {}
    kinds: dict[int, str] = {}
    for entry in found:
        children.setdefault(entry.parent, []).append(str(entry.number))
        kinds[entry.number] = entry.kind
        # Neighbours are steps beside each other: same block, same branch.
        neighbour = latest.get((entry.parent, entry.thread))
        if neighbour is not None:
            before[entry.number], after[neighbour] = neighbour, entry.number
        latest[entry.parent, entry.thread] = entry.number
    ranks: Counter[tuple[int, str]] = Counter()
    for entry in found:
        ranks[entry.parent, entry.kind] += 1
        metadata: Resource = {"threadId": str(entry.thread)}
        if entry.kind in _PROGRESS:
            in_parallel = kinds.get(entry.parent) == "STEP_PARALLEL_FOR"
            metadata["progressType"] = _IN_PARALLEL if in_parallel else _PROGRESS[entry.kind]
            metadata["progressNumber"] = str(ranks[entry.parent, entry.kind])
        if detailed and entry.expected:
            metadata["expectedIteration"] = str(entry.expected)
        shown: Resource = {
            "name": f"{parent}/stepEntries/{entry.number}",
            "entryId": str(entry.number),
            "createTime": rfc3339(entry.created),
            "updateTime": rfc3339(entry.updated or entry.created),
            "routine": entry.routine,
            "step": entry.step,
            "stepType": entry.kind,
            "state": entry.state,
            "navigationInfo": {
                "children": children.get(entry.number, []),
                "parent": str(entry.parent),
                "previous": str(before.get(entry.number, 0)),
                "next": str(after.get(entry.number, 0)),
            },
            "stepEntryMetadata": metadata,
        }
        if entry.error is not None:
            shown["exception"] = {"payload": entry.error}
        if entry.variables is not None:
            shown["variableData"] = {"variables": json.loads(entry.variables)}
        yield shown
