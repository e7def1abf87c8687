"""Running the statements that hold other steps: switch, for, try, nested steps, and raise."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from localcloud.workflows import limits, values
from localcloud.workflows.code.closures import Code
from localcloud.workflows.code.flow import (
    BREAK,
    CONTINUE,
    Block,
    Signal,
    begin,
    count_jump,
    finish,
    run_block,
)
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import Position, WorkflowError, type_error, value_error
from localcloud.workflows.values import shown

Runner = tuple[str | None, Callable[[Frame], Any], bool]


@dataclass(frozen=True, slots=True)
class CaseCode:
    """A compiled entry of a switch."""

    condition: Code
    position: Position
    body: Block | None
    next: Signal | None


def _decided(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise type_error(f"condition must be a boolean; got: {shown(value)}")


def switch(name: str, cases: list[CaseCode]) -> Runner:  # noqa: C901 - two forms: quick and full
    """Run a switch: the first true condition decides, and no other is looked at."""
    if all(case.condition.plain is not None and case.body is None for case in cases):
        plain = [
            (case.condition.plain, case.position, case.next)
            for case in cases
            if case.condition.plain is not None
        ]

        def run(frame: Frame) -> Signal | None:
            for condition, position, following in plain:
                frame.at = position
                value = condition(frame)
                if value is True or (value is not False and _decided(value)):
                    if following is not None:
                        count_jump(frame, name)
                    return following
            return None

        return "STEP_SWITCH", run, False

    def flow(frame: Frame) -> Running:
        for case in cases:
            frame.at = case.position
            if not _decided((yield from case.condition.run(frame))):
                continue
            if case.body is not None:
                entry = begin(frame, name, "STEP_CONDITION")
                signal = yield from _inside(frame, entry.number, case.body)
                finish(frame, entry)
                if signal is not None:
                    return signal
            if case.next is not None:
                count_jump(frame, name)
            return case.next
        return None

    return "STEP_SWITCH", flow, True


def _inside(frame: Frame, entry: int, block: Block) -> Running:
    task = frame.task
    outer, task.entry = task.entry, entry
    signal = yield from run_block(block, frame)
    task.entry = outer
    return signal


def group(body: Block) -> Runner:
    """Run nested steps; they are only a grouping and no step of their own."""

    def flow(frame: Frame) -> Running:
        return (yield from run_block(body, frame))

    return None, flow, True


def throw(value: Code, position: Position) -> Runner:
    """Raise a string or a map."""

    def flow(frame: Frame) -> Generator[Any, Any, None]:
        frame.at = position
        error = yield from value.run(frame)
        if type(error) is not str and type(error) is not dict:
            raise type_error(f"only a string or a map can be raised; got: {shown(error)}")
        raise WorkflowError(values.copy(error))

    return "STEP_RAISE", flow, True


# -- for -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoopCode:
    """A compiled loop; ``local`` are the places to clear before each iteration."""

    source: Code
    position: Position
    is_range: bool
    value: int
    index: int | None
    local: tuple[int, ...]
    body: Block

    def items(self, frame: Frame) -> Running:
        """Give what the loop goes over, as it is now."""
        frame.at = self.position
        source = yield from self.source.run(frame)
        if type(source) is not list:
            what = "range of a loop" if self.is_range else "'in' of a loop"
            raise type_error(f"{what} must be a list; got: {shown(source)}")
        return _range(source) if self.is_range else values.copy(source)


def _range(ends: list[Any]) -> list[Any] | range:
    if len(ends) != 2:  # noqa: PLR2004 - a begin and an end
        raise value_error(f"range must have two ends; got: {shown(ends)}")
    for value in ends:
        if type(value) is not int and type(value) is not float:
            raise type_error(f"the ends of a range must be numbers; got: {shown(value)}")
    begin_, end = ends
    if begin_ > end:
        raise value_error(f"range [{begin_}, {end}] ends before it begins")
    # No execution gets further than the limit of steps, however far the end is.
    number = min(int(end - begin_), limits.STEPS) + 1
    if type(begin_) is int:
        return range(begin_, begin_ + number)
    return [begin_ + step for step in range(number)]


def loop(name: str, code: LoopCode) -> Runner:
    """Run a for loop, one iteration after the other."""

    def flow(frame: Frame) -> Running:
        run, task = frame.run, frame.task
        items = yield from code.items(frame)
        parent = task.entry
        for number, item in enumerate(items):
            run.count()
            frame.clear(code.local)
            frame.store(code.value, item)
            if code.index is not None:
                frame.store(code.index, number)
            entry = begin(frame, name, "STEP_FOR_ITERATION")
            entry.progress = number
            entry.expected = len(items)
            task.entry = entry.number
            try:
                signal = yield from run_block(code.body, frame)
            except WorkflowError as error:
                finish(frame, entry, error)
                frame.clear(code.local)
                raise
            finally:
                task.entry = parent
            finish(frame, entry)
            if signal is BREAK:
                break
            if signal is not None and signal is not CONTINUE:
                frame.clear(code.local)
                return signal
            if run.steps >= run.checkpoint:
                yield from run.check()
        frame.clear(code.local)
        return None

    return "STEP_FOR", flow, True
