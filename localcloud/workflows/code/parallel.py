"""Running ``parallel``: a task for each branch or iteration, and what becomes of their errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.workflows import limits
from localcloud.workflows.code.blocks import LoopCode
from localcloud.workflows.code.closures import Code
from localcloud.workflows.code.flow import Block, begin, finish, run_block
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.code.scope import Layout
from localcloud.workflows.effects import Fork, Running
from localcloud.workflows.errors import WorkflowError, failure, type_error, value_error
from localcloud.workflows.history import Entry
from localcloud.workflows.report import context_text
from localcloud.workflows.values import shown

Runner = tuple[str | None, Callable[[Frame], Any], bool]
Variables = Sequence[tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class BranchCode:
    """A compiled branch."""

    name: str
    layout: Layout
    body: Block


def _limit(frame: Frame, code: Code | None) -> Running:
    if code is None:
        return limits.CONCURRENT_BRANCHES
    value = yield from code.run(frame)
    if type(value) is not int:
        raise type_error(f"concurrency_limit must be an integer; got: {shown(value)}")
    if value < 1:
        raise value_error(f"concurrency_limit must be positive; got: {value}")
    return value


def _unhandled(errors: list[tuple[str, WorkflowError]]) -> WorkflowError:
    message = (
        "UnhandledBranchError: One or more branches or iterations encountered "
        "an unhandled runtime error"
    )
    branches = [
        {"id": name, "error": {"context": context_text(error), "payload": error.value}}
        for name, error in errors[: limits.UNHANDLED_ERRORS]
    ]
    return failure(
        "UnhandledBranchError",
        message,
        "RuntimeError",
        branches=branches,
        truncated=len(errors) > limits.UNHANDLED_ERRORS,
    )


def _check_depth(frame: Frame) -> None:
    if frame.task.parallel_depth >= limits.PARALLEL_DEPTH:
        message = f"parallel steps are nested deeper than {limits.PARALLEL_DEPTH}"
        raise failure("ParallelNestingError", message)


def _run_branch(
    parent: Frame, frame: Frame, entry: Entry, body: Block, variables: Variables = ()
) -> Running:
    # The task exists only once the body runs: it is the one the scheduler made for it.
    frame.task.entry = entry.number
    entry.thread = frame.task.number
    try:
        # Only now: iterations that still queue take no memory of the workflow's.
        for place, value in variables:
            frame.store(place, value)
        yield from run_block(body, frame)
    except WorkflowError as error:
        finish(parent, entry, error)
        raise
    finally:
        frame.release()
    finish(parent, entry)


def _branch(parent: Frame, step: str, kind: str, names: list[str]) -> tuple[Frame, Entry]:
    parent.run.count()
    entry = begin(parent, step, kind)
    frame = Frame(
        names, parent.routine, run=parent.run, task=parent.task, up=parent, depth=parent.depth
    )
    return frame, entry


def parallel_branches(branches: list[BranchCode], limit: Code | None) -> Runner:
    """Run named branches side by side."""

    def flow(frame: Frame) -> Running:
        _check_depth(frame)
        most = yield from _limit(frame, limit)
        bodies = []
        for branch in branches:
            inner, entry = _branch(
                frame, branch.name, "STEP_PARALLEL_BRANCH_ENTRY", branch.layout.names
            )
            bodies.append((inner, _run_branch(frame, inner, entry, branch.body)))
        yield from _start(frame, [branch.name for branch in branches], bodies, most)

    return "STEP_PARALLEL_BRANCH", flow, True


def parallel_loop(name: str, code: LoopCode, layout: Layout, limit: Code | None) -> Runner:
    """Run the iterations of a loop side by side."""

    def flow(frame: Frame) -> Running:
        _check_depth(frame)
        most = yield from _limit(frame, limit)
        items = yield from code.items(frame)
        bodies = []
        for number, item in enumerate(items):
            inner, entry = _branch(frame, name, "STEP_FOR_ITERATION", layout.names)
            entry.progress, entry.expected = number, len(items)
            variables = [(code.value, item)]
            if code.index is not None:
                variables.append((code.index, number))
            bodies.append((inner, _run_branch(frame, inner, entry, code.body, variables)))
        names = [str(number) for number in range(len(bodies))]
        yield from _start(frame, names, bodies, most)

    return "STEP_PARALLEL_FOR", flow, True


def _start(
    frame: Frame, names: list[str], bodies: list[tuple[Frame, Running]], limit: int
) -> Running:
    if not bodies:
        return
    tasks = []
    for name, (inner, body) in zip(names, bodies, strict=True):
        inner.task = frame.run.new_task(parent=frame.task, label=name)
        inner.task.body = body
        tasks.append(inner.task)
    errors: list[WorkflowError | None] = yield Fork(tuple(tasks), limit)
    unhandled = [(name, error) for name, error in zip(names, errors, strict=True) if error]
    if unhandled:
        raise _unhandled(unhandled)
