"""What is going on: operations, calls, executions and their steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.services.workflowexecutions import entries as step_entries

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Resource

_MOST = 200


def operations(cloud: Cloud) -> list[Resource]:
    """Give the latest operations, the youngest first: what is asked of which API, and how it went."""
    rows = cloud.store.read(
        "select api, body from resources where name like '%operations/%' and api not like '%.%' "
        "order by seq desc limit ?",
        _MOST,
    )
    return [_operation(api, json.loads(body)) for api, body in rows]


def calls(cloud: Cloud) -> list[Resource]:
    """Give the latest calls, the youngest first."""
    return [vars(record) for record in list(cloud.calls)[: -_MOST - 1 : -1]]


def executions(cloud: Cloud) -> list[Resource]:
    """Give the latest executions, the youngest first, without arguments and results."""
    rows = cloud.store.read(
        "select name, body from resources where api = 'workflowexecutions' "
        "and name like '%/executions/%' order by seq desc limit ?",
        _MOST,
    )
    found = []
    for key, body in rows:
        execution = json.loads(body)
        kept = ("state", "startTime", "endTime", "createTime", "duration", "labels")
        parts = key.split("/")
        found.append(
            {
                "key": key,
                "workflow": parts[5],
                "id": parts[7],
                "error": (execution.get("error") or {}).get("payload"),
                **{field: execution[field] for field in kept if field in execution},
            }
        )
    return found


def entries(cloud: Cloud, key: str, parent: str) -> list[Resource]:
    """Give the steps directly below a step of an execution (``0``: the topmost), in order."""
    found = []
    for entry in step_entries.read(cloud, key, parent=parent):
        navigation = entry["navigationInfo"]
        found.append(
            {
                "id": entry["entryId"],
                "routine": entry["routine"],
                "step": entry["step"],
                "type": entry["stepType"].removeprefix("STEP_"),
                "state": entry["state"].removeprefix("STATE_"),
                "begin": entry["createTime"],
                "end": entry["updateTime"],
                "number": entry["stepEntryMetadata"].get("progressNumber"),
                "error": (entry.get("exception") or {}).get("payload"),
                "children": len(navigation.get("children", [])),
            }
        )
    return found


def _operation(api: str, body: dict[str, Any]) -> Resource:
    """Bring Google's two dialects of an operation to one shape."""
    meta = body.get("metadata") or {}
    error = body.get("error")
    return {
        "api": api,
        "name": body["name"],
        "what": meta.get("verb")
        or body.get("operationType")
        or meta.get("@type", "").split(".")[-1],
        "target": meta.get("target") or body.get("targetId") or meta.get("name") or _built(meta),
        "done": bool(body.get("done") or body.get("status") == "DONE"),
        "begin": meta.get("createTime") or meta.get("startTime") or body.get("insertTime"),
        "end": meta.get("endTime") or body.get("endTime"),
        "error": None if error is None else json.dumps(error, ensure_ascii=False),
    }


def _built(metadata: dict[str, Any]) -> str:
    return str(metadata.get("build", {}).get("name", ""))
