"""The step entries of executions: live from memory, afterwards from the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.clock import rfc3339
from localcloud.errors import not_found
from localcloud.listing import filtered
from localcloud.service import Call, Resource, page
from localcloud.services.workflows.sorting import ordered
from localcloud.workflows.report import payload_text

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.workflows.history import Entry, History

_COLLECTION = "workflowexecutions.entries"
_PROGRESS = {
    "STEP_FOR_ITERATION": "PROGRESS_TYPE_FOR",
    "STEP_RETRY": "PROGRESS_TYPE_RETRY",
    "STEP_PARALLEL_BRANCH_ENTRY": "PROGRESS_TYPE_PARALLEL_BRANCH",
}
_ORDER = ("entryId", "createTime", "updateTime", "routine", "step", "stepType", "state")


def get(call: Call) -> Resource:
    """Show one step entry."""
    execution, _, number = call.cloud.by_id(call["name"]).partition("/stepEntries/")
    for entry in _entries(call, execution):
        if entry["entryId"] == number:
            return _viewed(call, entry)
    raise not_found(f"Resource '{call['name']}' was not found")


def list_entries(call: Call) -> Resource:
    """List the step entries of an execution in the order they began."""
    kept = filtered(_entries(call, call.cloud.by_id(call["parent"])), call.get("filter"))
    if call.get("orderBy"):
        for entry in kept:
            entry["entryId"] = int(entry["entryId"])
        kept = ordered(kept, call.get("orderBy"), _ORDER, default="entryId")
        for entry in kept:
            entry["entryId"] = str(entry["entryId"])
    total = len(kept)
    answer = page(call, kept[call.get("skip") or 0 :], "stepEntries", default=1000, most=1000)
    shown = [_viewed(call, entry) for entry in answer.get("stepEntries", [])]
    return {**answer, "stepEntries": shown, "totalSize": total}


def save(cloud: Cloud, key: str, history: History) -> None:
    """Keep the entries of an execution that has ended."""
    cloud.store.of(_COLLECTION).put(key, {"entries": _rendered(cloud, key, history.entries)})


def forget(cloud: Cloud, key: str) -> None:
    """Remove the entries of an execution."""
    collection = cloud.store.of(_COLLECTION)
    if collection.find(key) is not None:
        collection.delete(key)


def _entries(call: Call, key: str) -> list[Resource]:
    from localcloud.services.workflowexecutions.runner import runner_of

    execution = call.store.find(key)
    if execution is None:
        raise not_found(f"Resource '{call.cloud.by_number(key)}' was not found")
    running = runner_of(call.cloud).running.get(key)
    if running is not None:
        return _rendered(call.cloud, key, list(running.history.entries))
    saved = call.cloud.store.of(_COLLECTION).find(key)
    return [] if saved is None else list(saved["entries"])


def _viewed(call: Call, entry: Resource) -> Resource:
    if call.get("view") == "EXECUTION_ENTRY_VIEW_DETAILED":
        return entry
    return {key: value for key, value in entry.items() if key != "variableData"}


def _rendered(cloud: Cloud, key: str, found: list[Entry]) -> list[Resource]:
    """Give entries as the API shows them."""
    parent = cloud.by_number(key)
    children: dict[int, list[str]] = {}
    following: dict[int, int] = {}
    for entry in found:
        children.setdefault(entry.parent, []).append(str(entry.number))
        following.setdefault(entry.previous, entry.number)
    return [_resource(parent, entry, children, following) for entry in found]


def _resource(
    parent: str, entry: Entry, children: dict[int, list[str]], following: dict[int, int]
) -> Resource:
    navigation: dict[str, Any] = {
        "children": children.get(entry.number, []),
        "parent": str(entry.parent),
        "previous": str(entry.previous),
        "next": str(following.get(entry.number, 0)),
    }
    shown: Resource = {
        "name": f"{parent}/stepEntries/{entry.number}",
        "entryId": str(entry.number),
        "createTime": rfc3339(entry.created),
        "updateTime": rfc3339(entry.updated or entry.created),
        "routine": entry.routine,
        "step": entry.step,
        "stepType": entry.kind,
        "state": entry.state,
        "navigationInfo": navigation,
        "stepEntryMetadata": {"threadId": str(entry.thread)},
    }
    if entry.kind in _PROGRESS:
        shown["stepEntryMetadata"]["progressType"] = _PROGRESS[entry.kind]
        shown["stepEntryMetadata"]["progressNumber"] = str(entry.progress)
    if entry.expected:
        shown["stepEntryMetadata"]["expectedIteration"] = str(entry.expected)
    if entry.error is not None:
        shown["exception"] = {"payload": payload_text(entry.error)}
    if entry.variables is not None:
        shown["variableData"] = {"variables": json.loads(entry.variables)}
    return shown
