"""Runs the executions of one local cloud, and brings them back after a restart."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from localcloud.clock import Timer, VirtualClock
from localcloud.services.workflowexecutions import callbacks, entries, logs
from localcloud.services.workflowexecutions.places import Places
from localcloud.services.workflowexecutions.records import (
    API,
    JOURNAL,
    drop,
    drop_all,
    duration,
    outlived,
)
from localcloud.transport import ConnectionFailed, ConnectionReset
from localcloud.workflows import limits
from localcloud.workflows.code.compiler import compiled
from localcloud.workflows.effects import HttpReply, HttpRequest
from localcloud.workflows.errors import DeployError, WorkflowError, limit_error
from localcloud.workflows.report import context_text, payload_text, stack_trace
from localcloud.workflows.running.engine import Engine, TokenError, TransportError
from localcloud.workflows.running.machine import Execution, Settings
from localcloud.workflows.values import from_json, to_json

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Resource

log = logging.getLogger(__name__)

_CANCELLED = {"payload": '"Execution cancelled."', "context": "Execution cancelled."}
_PATIENCE = 2.0  # seconds a cancellation waits for the execution to notice it


def runner_of(cloud: Cloud) -> Runner:
    """Give the runner of a cloud."""
    return cloud.belongings.get(Runner)


def on_start(cloud: Cloud) -> None:
    """Take up the executions that were running when the cloud was last stopped."""
    runner_of(cloud).resume()


def on_stop(cloud: Cloud) -> None:
    """Let executions rest where they are."""
    runner = cloud.belongings.take(Runner)
    if runner is not None:
        runner.engine.close()


class Runner:
    """The executions of one cloud: those under way in memory, the others in the store."""

    def __init__(self, cloud: Cloud) -> None:
        """Prepare the engine."""
        self.cloud = cloud
        self.places = Places(cloud.quotas)
        self.running: dict[str, Execution] = {}
        self._year: Timer | None = None
        self.engine = Engine(
            cloud.clock,
            self._send,
            tokens=self,
            create_callback=lambda execution, method: callbacks.create(
                cloud, execution.settings.name, method
            ),
            write_log=lambda execution, entry: logs.write(cloud, execution, entry),
        )

    # -- starting ------------------------------------------------------------------------------

    def _leave(self, key: str) -> None:
        """Give the place of an execution that has ended to the next in the queue."""
        with self.cloud.store.lock():
            self.places.free(key)
        self._start_waiting()
        virtual = isinstance(self.cloud.clock, VirtualClock)
        if virtual and not self.running and self._year is not None:
            # Nobody who waits until nothing is left to do wants to wait for a year.
            self._year.cancel()
            self._year = None

    def start(self, key: str, record: Resource, past: list[Resource] | None = None) -> None:
        """Start an execution, or go on with one whose journal is given."""
        workflow = self._revision(key, record)
        try:
            program = compiled(workflow["sourceContents"])
        except (DeployError, KeyError) as error:
            self._fail(key, f"the revision of the workflow cannot be run: {error}")
            self._leave(key)
            return
        journal = self.cloud.store.of(JOURNAL)
        numbers = iter(range(len(past or ()), 100_000_000))

        def write(entry: dict[str, Any]) -> None:
            with self.cloud.store.lock():
                if key not in self.running:
                    return  # its workflow has been deleted meanwhile, and everything with it
                journal.put(f"{key}/{next(numbers):08d}", entry)
                if "callback" in entry:
                    callbacks.journalled(self.cloud, entry["callback"])

        argument = record.get("argument")
        execution = Execution(
            program,
            None if argument is None else from_json(argument),
            host=self.engine,
            settings=self._settings(key, record, workflow),
            past=past,
            write=write,
        )
        execution.on_end.append(lambda ended: self._ended(key, ended))
        self.running[key] = execution
        if past:
            callbacks.restore(self.cloud, key, execution)
        else:
            logs.state(self.cloud, execution, "ACTIVE")
        execution.start()
        self._watch_the_year()

    def _watch_the_year(self) -> None:
        """Set the one timer that ends what runs for longer than a year."""
        begun = [execution.started for execution in list(self.running.values())]
        if self._year is None and begun:
            due = min(begun) + limits.YEAR
            self._year = self.cloud.clock.call_at(due, self._end_of_year)

    def _end_of_year(self) -> None:
        self._year = None
        last = self.cloud.clock.now() - limits.YEAR
        for execution in list(self.running.values()):
            if execution.started <= last:
                message = "the execution has run for longer than a year"
                execution.fail(limit_error(message, "ExecutionDurationLimitExceededError"))
        begun = [one.started for one in list(self.running.values()) if one.started > last]
        if begun:
            due = min(begun) + limits.YEAR
            self._year = self.cloud.clock.call_at(due, self._end_of_year)

    def _revision(self, key: str, record: Resource) -> Resource:
        name = key.partition("/executions/")[0]
        revision = f"{name}/revisions/{record['workflowRevisionId']}"
        return self.cloud.store.of("workflows.revisions").find(revision) or {}

    def _settings(self, key: str, record: Resource, workflow: Resource) -> Settings:
        parts = key.split("/")
        level = _level(record, workflow, "callLogLevel")
        history = _level(record, workflow, "executionHistoryLevel")
        environment = {
            **workflow.get("userEnvVars", {}),
            "GOOGLE_CLOUD_LOCATION": parts[3],
            "GOOGLE_CLOUD_PROJECT_ID": self.cloud.project,
            "GOOGLE_CLOUD_PROJECT_NUMBER": self.cloud.number,
            "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": workflow["serviceAccount"].rpartition("/")[2],
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": parts[7],
            "GOOGLE_CLOUD_WORKFLOW_ID": parts[5],
            "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": record["workflowRevisionId"],
        }
        return Settings(
            name=key,
            environment=environment,
            detailed=history == "EXECUTION_HISTORY_DETAILED",
            call_log=logs.call_log(self.cloud, level),
        )

    def resume(self) -> None:
        """Take up what was under way, and forget what ended long ago."""
        collection = self.cloud.store.of(API)
        journal = self.cloud.store.of(JOURNAL)
        for key, record in collection.under("projects/"):
            if outlived(self.cloud, record):
                drop_all(self.cloud, key)
            elif record.get("_cancelling") and "endTime" not in record:
                self._finish(key, {"state": "CANCELLED", "error": dict(_CANCELLED)})
            elif record["state"] == "ACTIVE" and key not in self.running:
                self.places.take(key)
                past = [entry for _, entry in journal.under(key + "/")]
                self.start(key, record, past)
            elif record["state"] == "QUEUED":
                self.places.wait(key)
        self._start_waiting()

    def _start_waiting(self) -> None:
        collection = self.cloud.store.of(API)
        while True:
            with self.cloud.store.lock():
                key = self.places.next()
                if key is None:
                    return
                record = collection.find(key)
                if record is None or record["state"] != "QUEUED":
                    continue
                now = self.cloud.clock.rfc3339()
                started = collection.put(key, {**record, "state": "ACTIVE", "startTime": now})
                self.places.take(key)
            self.start(key, started)

    # -- ending --------------------------------------------------------------------------------

    def cancel(self, key: str) -> None:
        """Stop an execution; asked for once, it ends so even if this process ends first."""
        collection = self.cloud.store.of(API)
        collection.update(key, lambda record: {**record, "_cancelling": True})
        execution = self.running.get(key)
        if execution is None:
            with self.cloud.store.lock():
                self.places.give_up(key)
            self._finish(key, {"state": "CANCELLED", "error": dict(_CANCELLED)})
            return
        execution.cancel()
        if isinstance(self.cloud.clock, VirtualClock):
            if not execution.advancing:
                execution.advance()
            return
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            record = collection.find(key)
            if record is None or "endTime" in record:
                return
            time.sleep(0.01)

    def forget_workflow(self, workflow: str) -> None:
        """Cancel and remove every execution of a workflow."""
        keys = [key for key, _ in self.cloud.store.of(API).under(f"{workflow}/executions/")]
        with self.cloud.store.lock():
            for key in keys:
                self.places.give_up(key)
        for key in keys:
            execution = self.running.pop(key, None)
            if execution is not None:
                execution.cancel()
                self._leave(key)
            drop_all(self.cloud, key)

    def _ended(self, key: str, execution: Execution) -> None:
        if self.running.pop(key, None) is None:
            return  # its workflow has been deleted, and everything with it
        changes: Resource = {"state": execution.state}
        if execution.state == "SUCCEEDED":
            changes["result"] = to_json(execution.result)
        elif execution.error is not None:
            changes["error"] = error_resource(execution.error)
        else:
            changes["error"] = dict(_CANCELLED)
        entries.save(self.cloud, key, execution)
        changes["_billed"] = _billed(execution)
        current = _steps(execution)
        if current:
            changes["status"] = {"currentSteps": current}
        self._finish(key, changes)
        logs.state(self.cloud, execution, execution.state)
        self._leave(key)

    def _fail(self, key: str, reason: str) -> None:
        payload = to_json({"message": reason, "tags": ["SystemError"]})
        self._finish(key, {"state": "FAILED", "error": {"payload": payload, "context": reason}})

    def _finish(self, key: str, changes: Resource) -> None:
        now = self.cloud.clock.rfc3339()
        collection = self.cloud.store.of(API)
        if collection.find(key) is None:
            return
        seconds = self.cloud.clock.now()

        def change(record: Resource) -> Resource:
            begun = record.get("startTime", now)
            return {**record, **changes, "endTime": now, "duration": duration(begun, seconds)}

        collection.update(key, change)
        drop(self.cloud, JOURNAL, key)
        callbacks.forget(self.cloud, key)

    def billed(self, key: str) -> dict[str, int]:
        """Count the steps of a running execution as they are billed; none if it does not run."""
        execution = self.running.get(key)
        return {"internal": 0, "external": 0} if execution is None else _billed(execution)

    def with_progress(self, record: Resource) -> Resource:
        """Add where a running execution is and how long it has taken."""
        shown = {key: value for key, value in record.items() if not key.startswith("_")}
        execution = self.running.get(self.cloud.by_id(record["name"]))
        if execution is not None:
            shown["duration"] = duration(record["startTime"], self.cloud.clock.now())
            steps = _steps(execution)
            if steps:
                shown["status"] = {"currentSteps": steps}
        return shown

    # -- what the engine asks for ----------------------------------------------------------------

    def access_token(self, execution: Execution, scopes: tuple[str, ...]) -> str:  # noqa: ARG002 - local tokens have every scope
        """Give an access token of the workflow's account."""
        return self.cloud.tokens.access_token(self._account(execution))

    def id_token(self, execution: Execution, audience: str) -> str:
        """Give an ID token of the workflow's account."""
        return self.cloud.tokens.id_token(self._account(execution), audience)

    def _account(self, execution: Execution) -> str:
        email = execution.environment["GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME"]
        if not self.cloud.account_usable(email):
            message = f"service account {email} does not exist or is disabled"
            raise TokenError(message)
        return email

    def _send(self, request: HttpRequest) -> HttpReply:
        try:
            response = self.cloud.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                timeout=request.timeout,
                inside=True,
            )
        except ConnectionReset as error:
            raise TransportError("reset", str(error)) from error
        except ConnectionFailed as error:
            raise TransportError("refused", str(error)) from error
        except TimeoutError as error:
            raise TransportError("timeout", str(error)) from error
        return HttpReply(response.status, dict(response.headers), response.body)


def error_resource(error: WorkflowError) -> Resource:
    """Give an error as the API shows it."""
    return {
        "payload": payload_text(error.value),
        "context": context_text(error),
        "stackTrace": stack_trace(error),
    }


def _level(record: Resource, workflow: Resource, field: str) -> str | None:
    """Give a setting: the execution's own wins over the workflow's."""
    for resource in (record, workflow):
        value = resource.get(field)
        if value and not value.endswith("_UNSPECIFIED"):
            return str(value)
    return None


def _steps(execution: Execution) -> list[Resource]:
    current = execution.history.current()
    if not current and execution.history.entries:
        current = execution.history.entries[-1:]
    return [{"routine": entry.routine, "step": entry.step} for entry in current]


def _billed(execution: Execution) -> dict[str, int]:
    """Count steps as Google bills them: requests to others and callbacks are external."""
    return {"internal": execution.steps - execution.external, "external": execution.external}
