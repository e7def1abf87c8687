"""Google's long-running operations, finished on the cloud's clock."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

log = logging.getLogger(__name__)

_INTERRUPTED = ApiError(500, "Internal error encountered: the local cloud was stopped meanwhile.")


@dataclass(frozen=True)
class Ending:
    """How an operation ended: with an error, or with a result of a certain type, which may be none."""

    now: str
    result: Resource | None = None
    error: ApiError | None = None
    response_type: str | None = None


class Operations:
    """Starts operations and ends them; what they are is kept in the API's own collection."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve one cloud."""
        self._cloud = cloud
        self._open = cloud.store.of("operations.open")

    def start(
        self,
        call: Call,
        *,
        name: str,
        work: Callable[[], Resource | None],
        dialect: str = "longrunning",
        metadata: Resource | None = None,
        response_type: str | None = None,
        fields: Resource | None = None,
    ) -> Resource:
        """Begin an operation and give it as it looks now: not done.

        Args:
            call: the call it answers.
            name: its key in the API's collection, and for ``longrunning`` its name.
            work: does the work and gives the response; an ApiError ends the operation with it.
            dialect: ``longrunning``, ``sql`` or ``compute``.
            metadata: of a ``longrunning`` operation.
            response_type: such as ``google.cloud.run.v2.Service``, for the response's ``@type``.
            fields: further fields of the operation.
        """
        form = DIALECTS[dialect]
        api, method = call.service.api, call.method
        fresh = form.begin(name, {"metadata": metadata or {}, "fields": fields or {}}, call)
        with self._cloud.store.lock():
            started = self._cloud.store.of(api).put(name, fresh)
            key = f"{api}/{name}"
            self._open.put(key, {"api": api, "name": name, "dialect": dialect})
        planned = self._cloud.faults.take_operation(method)

        def finish() -> None:
            result: Resource | None = None
            error = planned.error if planned is not None else None
            lost = planned is not None and planned.error is None
            if error is None:
                try:
                    result = work()
                except ApiError as refusal:
                    error = refusal
                except Exception as crash:  # the poller must not wait for ever because of our bug
                    log.exception("the operation of %s failed", method)
                    error = ApiError(500, f"Internal error encountered: {crash}")
            now = self._cloud.clock.rfc3339()
            self._end(api, name, dialect, Ending(now, result, error, response_type))
            if lost:
                self._cloud.store.of(api).delete(name)

        delay = self._cloud.latency.get(method, 0.0)
        self._cloud.clock.call_at(self._cloud.clock.now() + delay, finish)
        return started

    def abandon_open(self) -> int:
        """End with an error what was running when the cloud was last stopped."""
        left = self._open.under("")
        for _, entry in left:
            found = self._cloud.store.of(entry["api"]).find(entry["name"])
            if found is not None:
                ending = Ending(self._cloud.clock.rfc3339(), error=_INTERRUPTED)
                self._end(entry["api"], entry["name"], entry["dialect"], ending)
        return len(left)

    def _end(self, api: str, name: str, dialect: str, ending: Ending) -> None:
        with self._cloud.store.lock():
            collection = self._cloud.store.of(api)
            operation = collection.find(name)
            if operation is not None:
                DIALECTS[dialect].end(operation, ending)
                collection.put(name, operation)
            if self._open.find(f"{api}/{name}") is not None:
                self._open.delete(f"{api}/{name}")


class _LongRunning:
    """google.longrunning.Operation: ``done`` and then ``response`` or ``error``."""

    def begin(self, name: str, parts: Resource, call: Call) -> Resource:
        del call
        operation: Resource = {"name": name, "done": False}
        if parts["metadata"]:
            operation["metadata"] = parts["metadata"]
        return {**operation, **parts["fields"]}

    def end(self, operation: Resource, ending: Ending) -> None:
        operation["done"] = True
        metadata = operation.get("metadata", {})
        for field in ("endTime", "updateTime"):
            if field in metadata:
                metadata[field] = ending.now
        error = ending.error
        if error is not None:
            operation["error"] = {"code": error.rpc_code, "message": error.message}
            if error.details:
                operation["error"]["details"] = error.details
            return
        kind = ending.response_type or "google.protobuf.Empty"
        operation["response"] = {"@type": f"type.googleapis.com/{kind}", **(ending.result or {})}


class _Sql:
    """Cloud SQL's own: ``status`` becomes DONE, and an error stands beside it."""

    def begin(self, name: str, parts: Resource, call: Call) -> Resource:
        now = call.now
        return {
            "kind": "sql#operation",
            "name": name.rpartition("/")[2],
            "status": "PENDING",
            "user": call.caller.email,
            "insertTime": now,
            "startTime": now,
            **parts["fields"],
        }

    def end(self, operation: Resource, ending: Ending) -> None:
        operation["status"] = "DONE"
        operation["endTime"] = ending.now
        if ending.error is not None:
            item = {"kind": "sql#operationError", **_words(ending.error)}
            operation["error"] = {"kind": "sql#operationErrors", "errors": [item]}


class _Compute(_Sql):
    """Compute Engine's own: like Cloud SQL's, with the HTTP status of what went wrong."""

    def begin(self, name: str, parts: Resource, call: Call) -> Resource:
        return {**super().begin(name, parts, call), "kind": "compute#operation", "progress": 0}

    def end(self, operation: Resource, ending: Ending) -> None:
        super().end(operation, ending)
        operation["progress"] = 100
        error = ending.error
        if error is not None:
            operation["error"] = {"errors": [_words(error)]}
            operation["httpErrorStatusCode"] = error.code
            operation["httpErrorMessage"] = HTTPStatus(error.code).phrase.upper()


def _words(error: ApiError) -> Resource:
    return {"code": error.reason or error.status, "message": error.message}


DIALECTS: dict[str, Any] = {"longrunning": _LongRunning(), "sql": _Sql(), "compute": _Compute()}
"""How APIs spell a finished operation."""
