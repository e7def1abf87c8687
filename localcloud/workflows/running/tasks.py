"""Tasks, the threads of steps of an execution, and the rules by which branches run at once."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.workflows import limits
from localcloud.workflows.effects import Fork, Running
from localcloud.workflows.errors import WorkflowError

Ready = tuple["Task", Any]


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


class Forks:
    """The parallel steps of one execution that are under way.

    A step runs as many branches at a time as it says, and all steps together as many as the
    service allows; the others queue.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._groups: list[_Group] = []
        self._active = 0

    def fork(self, task: Task, effect: Fork) -> list[Ready]:
        """Begin the branches of a task; give those that may run."""
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
        return list(self._startable())

    def over(self, task: Task, error: WorkflowError | None) -> list[Ready]:
        """End a branch; give what may run now, the parent if this was the last branch."""
        group = task.group
        if group is None:
            return []
        self._active -= 1
        group.running -= 1
        group.left -= 1
        if error is not None:
            group.errors[task.number] = error
        ready: list[Ready] = []
        if group.left == 0:
            self._groups.remove(group)
            if group.parent.group is not None:
                self._active += 1
            ready.append((group.parent, [group.errors.get(n) for n in group.order]))
        return [*ready, *self._startable()]

    def _startable(self) -> Iterator[Ready]:
        """Take tasks from the queues, those of the innermost steps first."""
        for group in reversed(self._groups):
            while (
                group.pending
                and group.running < group.limit
                and self._active < limits.CONCURRENT_BRANCHES
            ):
                group.running += 1
                self._active += 1
                yield group.pending.popleft(), None
