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

from localcloud.workflows import journal, limits
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
from localcloud.workflows.errors import WorkflowError, failure, limit_error
from localcloud.workflows.evaluator import Program
from localcloud.workflows.flow import RoutineCode
from localcloud.workflows.frames import Frame
from localcloud.workflows.history import History
from localcloud.workflows.mailbox import Mailbox
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


@dataclass(eq=False, slots=True)
class Task:
    """A thread of steps: the main one, or a branch or iteration of a parallel step."""

    number: int
    body: Running | None = None
    parent: "Task | None" = None
    label: str = ""
    parallel_depth: int = 0
    entry: int = 0
    previous: int = 0
    waits: int = 0
    group: "_Group | None" = None


@dataclass(eq=False, slots=True)
class _Group:
    """The children of one parallel step."""

    parent: Task
    pending: deque[Task]
    limit: int
    errors: dict[int, WorkflowError]
    order: tuple[int, ...]
    left: int
    running: int = 0


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
        self._groups: list[_Group] = []
        self._active = 0
        self._outstanding: dict[Key, tuple[Task, Effect, float | None]] = {}
        self._past = journal.Past(past or [])
        self._write = write
        self._cancelled = False
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
        if self._past:
            self.started = self._past.time
        else:
            self._record({"started": self.started})
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
        return (yield from main.run_in(frame, arguments))

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
        except Exception:  # a fault of the interpreter must end the execution, not the engine
            log.exception("the interpreter failed")
            self._end("FAILED", None, failure("SystemError", "internal error of the interpreter"))
        else:
            if effect is PAUSE:
                return True
            if isinstance(effect, Fork):
                self._fork(task, effect)
            else:
                self._issue(task, effect)
        return False

    def _issue(self, task: Task, effect: Effect) -> None:
        task.waits += 1
        key = (task.number, task.waits)
        due = None
        if isinstance(effect, Sleep):
            due = self.now() + effect.seconds
            self.sleeps.append(effect.seconds)
        elif isinstance(effect, AwaitCallback):
            due = self.now() + effect.timeout
        self._outstanding[key] = (task, effect, due)
        if not self._past:
            self.host.perform(self, key, effect, due)

    def _take_up(self, key: Key, outcome: Any) -> None:
        task, _effect, _due = self._outstanding.pop(key)
        self._ready.append((task, outcome))

    def _replay(self) -> None:
        event = self._past.next_event()
        if event is not None:
            self._take_up(*event)
        if self._past:
            return
        # The past is over: what was under way when it ended is taken up again. A request that
        # may have had its effect is not repeated; the workflow sees a broken connection.
        for key, (_task, effect, due) in list(self._outstanding.items()):
            if isinstance(effect, HttpRequest) and effect.method not in _SAFE_TO_REPEAT:
                message = "connection lost: the interpreter was restarted during the request"
                self.deliver(key, HttpFault("reset", message))
            else:
                self.host.perform(self, key, effect, due)

    def _record(self, record: dict[str, Any]) -> None:
        if self._write is not None:
            self._write(record)

    # -- parallel ----------------------------------------------------------------------------

    def _fork(self, task: Task, effect: Fork) -> None:
        group = _Group(
            task,
            deque(effect.tasks),
            effect.limit,
            {},
            tuple(child.number for child in effect.tasks),
            len(effect.tasks),
        )
        for child in effect.tasks:
            child.group = group
        if task.group is not None:
            self._active -= 1  # a branch that waits for its own branches does not run
        self._groups.append(group)
        self._start_waiting()

    def _start_waiting(self) -> None:
        for group in reversed(self._groups):
            while (
                group.pending
                and group.running < group.limit
                and self._active < limits.CONCURRENT_BRANCHES
            ):
                group.running += 1
                self._active += 1
                self._ready.append((group.pending.popleft(), None))

    def _task_over(self, task: Task, value: Any, error: WorkflowError | None) -> None:
        if error is not None and not error.catchable:
            self._end("FAILED", None, error)
            return
        group = task.group
        if group is None:
            self._end("FAILED" if error else "SUCCEEDED", value, error)
            return
        self._active -= 1
        group.running -= 1
        group.left -= 1
        if error is not None:
            group.errors[task.number] = error
        if group.left == 0:
            self._groups.remove(group)
            if group.parent.group is not None:
                self._active += 1
            self._ready.append((group.parent, [group.errors.get(n) for n in group.order]))
        self._start_waiting()

    # -- the end -----------------------------------------------------------------------------

    def _end(self, state: str, value: Any, error: WorkflowError | None) -> None:
        if state == "SUCCEEDED":
            try:
                _check_result(value)
            except WorkflowError as refused:
                state, value, error = "FAILED", None, refused
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
