"""Running blocks of steps: signals, jumps, calls of routines, error traces, step entries."""

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.code.scope import Layout
from localcloud.workflows.effects import Effect
from localcloud.workflows.errors import (
    DeployError,
    Position,
    StackElement,
    WorkflowError,
    failure,
)
from localcloud.workflows.history import FAILED, SUCCEEDED, Entry

Running = Generator[Effect, Any, Any]


class Signal:
    """Why a block stopped before its end."""

    __slots__ = ()


class Loop(Signal):
    """``break`` or ``continue``, on the way to the innermost loop."""

    __slots__ = ()


BREAK: Final = Loop()
CONTINUE: Final = Loop()


@dataclass(frozen=True, slots=True, eq=False)
class Jump(Signal):
    """``next``: go on at this step of this block, which is the current one or around it."""

    block: "Block"
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Returned(Signal):
    """``return``, or ``next: end``: the routine is over and has this value.

    The step is told so that a result which cannot be one can be traced to it.
    """

    value: Any
    step: str = ""
    position: Position | None = None


END: Final = Returned(None)


@dataclass(slots=True, eq=False)
class StepCode:
    """A compiled step. ``run`` gives a signal or None; if it ``waits`` it is a generator."""

    name: str
    kind: str | None
    position: Position
    run: Callable[[Frame], Any]
    waits: bool
    next: Signal | None = None


@dataclass(slots=True, eq=False)
class Block:
    """A compiled list of steps."""

    steps: list[StepCode] = field(default_factory=list)


def begin(frame: Frame, step: str, kind: str) -> Entry:
    """Open a step entry at the current place of the frame's task."""
    run, task = frame.run, frame.task
    entry = run.history.open(
        step, frame.routine, kind, run.now(), task.entry, task.previous, task.number
    )
    task.previous = entry.number
    return entry


def finish(frame: Frame, entry: Entry, error: WorkflowError | None = None) -> None:
    """Close a step entry."""
    entry.updated = frame.run.now()
    if error is None:
        entry.state = SUCCEEDED
    else:
        entry.state = FAILED
        entry.error = error.value
    if frame.run.detailed:
        entry.variables = json.dumps(frame.variables(), default=str)


def leave_trace(frame: Frame, step: str, error: WorkflowError) -> None:
    """Add this activation to the error's stack trace, once."""
    if error.owner is not frame:
        error.owner = frame
        error.trace.append(StackElement(step, frame.routine, frame.at))


def run_block(block: Block, frame: Frame) -> Running:  # noqa: C901 - every step comes through here
    """Run the steps of a block; give the signal that ends it, or None at its end."""
    run, task = frame.run, frame.task
    parent = task.entry
    steps = block.steps
    index = 0
    while index < len(steps):
        step = steps[index]
        frame.at = step.position
        entry = None
        try:
            if step.kind is not None:
                run.steps += 1
                entry = begin(frame, step.name, step.kind)
            if run.steps >= run.checkpoint:
                yield from run.check()
            if step.waits:
                if entry is not None:
                    task.entry = entry.number
                signal = yield from step.run(frame)
                task.entry = parent
            else:
                signal = step.run(frame)
            if signal is None and step.next is not None:
                signal = step.next
                if step.kind != "STEP_GOTO":
                    count_jump(frame, step.name)
        except WorkflowError as error:
            task.entry = parent
            leave_trace(frame, step.name, error)
            if entry is not None:
                finish(frame, entry, error)
            raise
        if entry is not None:
            finish(frame, entry)
        if signal is None:
            index += 1
            continue
        if type(signal) is Jump and signal.block is block:
            index = signal.index
            continue
        return signal
    return None


def count_jump(frame: Frame, step: str) -> None:
    """A jump is a step of its own."""
    frame.run.count()
    entry = begin(frame, step, "STEP_GOTO")
    entry.updated = entry.created
    entry.state = SUCCEEDED


@dataclass(slots=True, eq=False)
class RoutineCode:
    """A compiled routine; filled in after all routines have been announced."""

    name: str
    parameters: tuple[str, ...]
    required: frozenset[str]
    defaults: dict[str, Any]
    layout: Layout
    block: Block = field(default_factory=Block)

    def check_named(self, names: Sequence[str]) -> None:
        """Refuse a call with arguments missing or unknown."""
        for name in names:
            if name not in self.parameters:
                wanted = ", ".join(self.parameters) or "none"
                message = f"subworkflow '{self.name}' has no parameter '{name}' (it has: {wanted})"
                raise DeployError(message)
        for name in self.parameters:
            if name in self.required and name not in names:
                message = f"argument '{name}' of subworkflow '{self.name}' is missing"
                raise DeployError(message)

    def check_positional(self, number: int) -> None:
        """Refuse a call with too many or too few arguments."""
        if number > len(self.parameters):
            message = (
                f"subworkflow '{self.name}' takes {len(self.parameters)} arguments, {number} given"
            )
            raise DeployError(message)
        self.check_named(self.parameters[:number])

    def bind_positional(self, values: Sequence[Any]) -> dict[str, Any]:
        """Give the arguments their names."""
        return dict(zip(self.parameters, values, strict=False))

    def invoke(self, caller: Frame, arguments: dict[str, Any]) -> Running:
        """Run the routine with these arguments and give its value."""
        if caller.depth >= limits.CALL_DEPTH:
            message = f"maximum call stack depth of {limits.CALL_DEPTH} exceeded"
            raise failure("RecursionError", message)
        frame = Frame(
            self.layout.names, self.name, run=caller.run, task=caller.task, depth=caller.depth + 1
        )
        return (yield from self.run_in(frame, arguments)).value

    def run_in(self, frame: Frame, arguments: dict[str, Any]) -> Running:
        """Run the routine in a frame made for it; give how it returned."""
        try:
            for place, name in enumerate(self.parameters):
                frame.store(place, arguments[name] if name in arguments else self.defaults[name])
            signal = yield from run_block(self.block, frame)
        finally:
            frame.release()
        return signal if isinstance(signal, Returned) else END
