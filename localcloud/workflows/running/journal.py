"""The journal of an execution as JSON records: outcomes of effects, and things looked up."""

import base64
from collections import deque
from typing import Any, Final

from localcloud.workflows.effects import CallbackReceived, HttpFault, HttpReply

Key = tuple[int, int]


def outcome_record(key: Key, outcome: Any, now: float) -> dict[str, Any]:
    """Write down the outcome of an effect."""
    record: dict[str, Any] = {"task": key[0], "wait": key[1], "at": now}
    if isinstance(outcome, HttpReply):
        record["http"] = {
            "status": outcome.status,
            "headers": outcome.headers,
            "body": base64.b64encode(outcome.body).decode(),
        }
    elif isinstance(outcome, HttpFault):
        record["fault"] = {"kind": outcome.kind, "message": outcome.message}
    elif isinstance(outcome, CallbackReceived):
        record["callback"] = {
            "received_time": outcome.received_time,
            "http_request": outcome.http_request,
            "kind": outcome.kind,
        }
    return record


def _reply(record: dict[str, Any]) -> HttpReply:
    return HttpReply(record["status"], record["headers"], base64.b64decode(record["body"]))


_OUTCOMES: Final[dict[str, Any]] = {
    "http": _reply,
    "fault": lambda record: HttpFault(**record),
    "callback": lambda record: CallbackReceived(**record),
}


def _outcome(record: dict[str, Any]) -> Any:
    for kind, read in _OUTCOMES.items():
        if kind in record:
            return read(record[kind])
    return None


class Past:
    """What the journal still holds while an execution is replayed; false once it is used up."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        """Sort the records."""
        self.events = deque(record for record in records if "task" in record)
        self.observations = deque(record["observed"] for record in records if "observed" in record)
        self.issued: dict[tuple[int, ...], float | None] = {
            tuple(record["issued"]): record["due"] for record in records if "issued" in record
        }
        self.started: float | None = next((r["started"] for r in records if "started" in r), None)
        self.time = self.started or 0.0

    def __bool__(self) -> bool:
        """Say whether replaying goes on."""
        return bool(self.events)

    def next_event(self) -> tuple[Key, Any]:
        """Give the next outcome."""
        record = self.events.popleft()
        self.time = record["at"]
        return (record["task"], record["wait"]), _outcome(record)
