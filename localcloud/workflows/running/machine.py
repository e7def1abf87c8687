"""An execution: its tasks, what they wait for, and the journal that lets it be resumed.

Everything between two outcomes of effects is computing, and computing is deterministic. The
journal keeps the outcomes in the order in which they were taken up, and whatever else was
looked up (time, random identifiers). Replaying it leads to the same state: executions survive.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from localcloud.workflows import limits
from localcloud.workflows.code.evaluator import Program
from localcloud.workflows.code.flow import RoutineCode
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import (
    PAUSE,
    AwaitCallback,
    CallbackReceived,
    Effect,
    Fork,
    HttpFault,
    HttpRequest,
    Running,
    Sleep,
)
from localcloud.workflows.errors import StackElement, WorkflowError, failure, limit_error
from localcloud.workflows.history import History
from localcloud.workflows.running import journal
from localcloud.workflows.running.mailbox import Mailbox
from localcloud.workflows.running.tasks import Forks, Task
from localcloud.workflows.values import copy, size_of, to_json

log = logging.getLogger(__name__)

_TURN = 2000  # steps an execution may take before others have their turn
_SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS"})
Key = tuple[int, int]


class Host(Protocol):
    """What an execution needs around it."""

    def now(self) -> float:
        """Give the time."""

    def perform(self, execution: "Execution", key: Key, effect: Effect, due: float | None) -> None:
        """Bring an effect about; its outcome goes to ``execution.deliver``."""

    def schedule(self, execution: "Execution") -> None:
        """Have ``execution.advance`` called soon, by one thread at a time."""

    def create_callback(self, execution: "Execution", method: str) -> str:
        """Make an endpoint for a callback and give its URL."""

    def log(self, execution: "Execution", entry: dict[str, Any]) -> None:
        """Write a log entry."""


@dataclass
class Settings:
    """What an execution is told about itself."""

    name: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    detailed: bool = False
    call_log: Callable[["Execution", dict[str, Any]], None] | None = None


class Execution:
    """One execution of a program."""

    def __init__(
        self,
        program: Program,
        argument: Any = None,
        *,
        host: Host,
        settings: Settings | None = None,
        past: list[dict[str, Any]] | None = None,
        write: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Prepare; ``past`` is the journal of an execution to be resumed."""
        self.program = program
        self.argument = argument
        self.host = host
        self.settings = settings or Settings()
        self.detailed = self.settings.detailed
        self.environment = self.settings.environment
        self.history, self.mailbox = History(), Mailbox()
        self.steps = self.external = self.memory = 0
        self.checkpoint = _TURN
        self.state = "ACTIVE"
        self.result: Any = None
        self.error: WorkflowError | None = None
        self.on_end: list[Callable[[Execution], None]] = []
        self.sleeps: list[float] = []
        self.started = host.now()
        self.ended: float | None = None
        self._tasks = 0
        self._ready: deque[tuple[Task, Any]] = deque()
        self._inbox: deque[tuple[Key, Any]] = deque()
        self._forks = Forks()
        self._outstanding: dict[Key, tuple[Task, Effect, float | None]] = {}
        self._past = journal.Past(past or [])
        self._write = write
        self._cancelled = False
        self._over: WorkflowError | None = None
        self.advancing = False

    # -- what steps use ----------------------------------------------------------------------

    def now(self) -> float:
        """Give the time; while replaying, that of the journal."""
        return self._past.time if self._past else self.host.now()

    def count(self) -> None:
        """Count a step that is not the step of a list."""
        self.steps += 1
        if self.steps > limits.STEPS:
            raise _too_many_steps()

    def check(self) -> Running:
        """Let others have a turn, and stop a workflow that never ends."""
        if self.steps > limits.STEPS:
            raise _too_many_steps()
        self.checkpoint = min(self.steps + _TURN, limits.STEPS + 1)
        yield PAUSE

    def observe(self, look: Callable[[], Any]) -> Any:
        """Look something up that may be different next time, and remember what was seen."""
        if self._past.observations:
            return self._past.observations.popleft()
        seen = look()
        self._record({"observed": seen})
        return seen

    def create_callback(self, method: str) -> str:
        """Make an endpoint for a callback; a resumed execution keeps its old one."""
        return str(self.observe(lambda: self.host.create_callback(self, method)))

    def log(self, entry: dict[str, Any]) -> None:
        """Write a log entry, but not again while replaying."""
        if not self._past:
            self.host.log(self, entry)

    def new_task(self, *, parent: Task, label: str = "") -> Task:
        """Make a task without a body yet; it runs when it is forked."""
        self._tasks += 1
        return Task(
            self._tasks,
            parent=parent,
            label=label,
            parallel_depth=parent.parallel_depth + 1,
            entry=parent.entry,
            previous=parent.previous,
        )

    # -- running -----------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or begin again from the journal."""
        if self._past.started is None:
            self._record({"started": self.started})
        else:
            self.started = self._past.started
        main = self.program.routines["main"]
        task = Task(0)
        task.body = self._main_body(main, task)
        self._ready.append((task, None))
        self.host.schedule(self)

    def _main_body(self, main: RoutineCode, task: Task) -> Running:
        size = len(to_json(self.argument).encode())
        if size > limits.ARGUMENT_BYTES:
            message = f"argument of {size} bytes is larger than {limits.ARGUMENT_BYTES}"
            raise limit_error(message)
        frame = Frame(main.layout.names, "main", run=self, task=task)
        arguments = {}
        if main.parameters and (self.argument is not None or main.required):
            arguments[main.parameters[0]] = self.argument
        returned = yield from main.run_in(frame, arguments)
        try:
            _check_result(returned.value)
        except WorkflowError as error:
            error.trace.append(StackElement(returned.step, "main", returned.position))
            raise
        return returned.value

    def deliver(self, key: Key, outcome: Any) -> None:
        """Take the outcome of an effect; callable from any thread."""
        self._inbox.append((key, outcome))
        self.host.schedule(self)

    def await_callback(self, url: str, key: Key) -> bool:
        """Wait for a call of an endpoint; give True if one that came before was taken."""
        early = self.mailbox.wait(url, key)
        if early is not None:
            self.deliver(key, early)
        return early is not None

    def receive_callback(self, url: str, outcome: CallbackReceived) -> bool:
        """Take a call of an endpoint; give False if nobody waits yet. Callable from any thread."""
        key = self.mailbox.receive(url, outcome, self._outstanding)
        if key is not None:
            self.deliver(key, outcome)
        return key is not None

    def waiters(self, url: str) -> int:
        """Count who waits for calls of an endpoint."""
        return self.mailbox.waiters(url, self._outstanding)

    def cancel(self) -> None:
        """Ask for the end; callable from any thread."""
        self._cancelled = True
        self.host.schedule(self)

    def fail(self, error: WorkflowError) -> None:
        """End with an error that nothing inside can catch; callable from any thread."""
        self._over = error
        self.host.schedule(self)

    @property
    def replaying(self) -> bool:
        """Say whether what happens now has happened before."""
        return bool(self._past)

    def advance(self) -> bool:
        """Run until everything waits; give True if it only made room for others."""
        self.advancing = True
        try:
            return self._advance()
        finally:
            self.advancing = False

    def _advance(self) -> bool:
        while self.state == "ACTIVE":
            if self._cancelled:
                self._end("CANCELLED", None, None)
            elif self._over is not None:
                self._end("FAILED", None, self._over)
            elif self._ready:
                task, value = self._ready.popleft()
                if self._resume(task, value):
                    self._ready.appendleft((task, None))
                    return True
            elif self._past:
                self._replay()
            elif self._inbox:
                key, outcome = self._inbox.popleft()
                if key in self._outstanding:
                    self._record(journal.outcome_record(key, outcome, self.host.now()))
                    self._take_up(key, outcome)
            else:
                return False
        return False

    def _resume(self, task: Task, value: Any) -> bool:
        assert task.body is not None
        try:
            effect = task.body.send(value)
        except StopIteration as stop:
            self._task_over(task, stop.value, None)
        except WorkflowError as error:
            self._task_over(task, None, error)
        except RecursionError:
            self._end("FAILED", None, limit_error("a value is nested too deeply"))
        except Exception:  # a fault of the interpreter must end the execution, not the engine
            log.exception("the interpreter failed")
            self._end("FAILED", None, failure("SystemError", "internal error of the interpreter"))
        else:
            if effect is PAUSE:
                return True
            if isinstance(effect, Fork):
                self._ready.extend(self._forks.fork(task, effect))
            else:
                self._issue(task, effect)
        return False

    def _issue(self, task: Task, effect: Effect) -> None:
        task.waits += 1
        key = (task.number, task.waits)
        # An effect that was asked for before keeps its time.
        due = self._past.issued.get(key)
        if isinstance(effect, Sleep):
            due = self.now() + effect.seconds if due is None else due
            self.sleeps.append(effect.seconds)
        elif isinstance(effect, AwaitCallback):
            due = self.now() + effect.timeout if due is None else due
        self._outstanding[key] = (task, effect, due)
        if not self._past:
            self._perform(key, effect, due)

    def _perform(self, key: Key, effect: Effect, due: float | None) -> None:
        if key not in self._past.issued:
            self._record({"issued": key, "due": due})
        elif isinstance(effect, HttpRequest) and effect.method not in _SAFE_TO_REPEAT:
            # It may have had its effect, so the workflow sees a broken connection.
            message = "connection lost: the interpreter was restarted during the request"
            self.deliver(key, HttpFault("reset", message))
            return
        self.host.perform(self, key, effect, due)

    def _take_up(self, key: Key, outcome: Any) -> None:
        task, _effect, _due = self._outstanding.pop(key)
        self._ready.append((task, outcome))

    def _replay(self) -> None:
        event = self._past.next_event()
        if not self._past:
            # The past is over: what was under way when it ended is taken up again.
            for key, (_task, effect, due) in list(self._outstanding.items()):
                if key != event[0]:
                    self._perform(key, effect, due)
        self._take_up(*event)

    def _record(self, record: dict[str, Any]) -> None:
        if self._write is not None:
            self._write(record)

    def _task_over(self, task: Task, value: Any, error: WorkflowError | None) -> None:
        if error is not None and not error.catchable:
            self._end("FAILED", None, error)
        elif task.group is None:
            self._end("FAILED" if error else "SUCCEEDED", value, error)
        else:
            self._ready.extend(self._forks.over(task, error))

    # -- the end -----------------------------------------------------------------------------

    def _end(self, state: str, value: Any, error: WorkflowError | None) -> None:
        self.state = state
        self.result = copy(value)
        self.error = error
        self.ended = self.now()
        self._outstanding.clear()
        self._ready.clear()
        for callback in self.on_end:
            callback(self)


def _check_result(value: Any) -> None:
    to_json(value)
    if size_of(value) > limits.MEMORY_BYTES:
        message = f"result is larger than {limits.MEMORY_BYTES} bytes"
        raise limit_error(message, "ResultSizeLimitExceededError")


def _too_many_steps() -> WorkflowError:
    message = f"the execution has reached the limit of {limits.STEPS} steps"
    return limit_error(message, "StepLimitExceededError")
