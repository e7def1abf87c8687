"""What an activation of a routine or a branch holds while it runs."""

from typing import TYPE_CHECKING, Any, Final

from localcloud.workflows import limits
from localcloud.workflows.errors import Position, limit_error
from localcloud.workflows.values import sized_copy

if TYPE_CHECKING:
    from localcloud.workflows.running.machine import Execution
    from localcloud.workflows.running.tasks import Task


class Unset:
    """The mark of a variable that has no value yet."""

    __slots__ = ()


UNSET: Final = Unset()


class Frame:
    """The variables of one activation, and where it is."""

    __slots__ = ("at", "depth", "names", "routine", "run", "sizes", "task", "up", "values")

    def __init__(
        self,
        names: list[str],
        routine: str,
        *,
        run: "Execution",
        task: "Task",
        up: "Frame | None" = None,
        depth: int = 1,
    ) -> None:
        """Start with no variable set."""
        self.names = names
        self.routine = routine
        self.run = run
        self.task = task
        self.up = up
        self.depth = depth
        self.values: list[Any] = [UNSET] * len(names)
        self.sizes: list[int] = [0] * len(names)
        self.at: Position | None = None

    def store(self, place: int, value: Any) -> None:
        """Store an independent copy of a value in a variable."""
        copied, size = sized_copy(value)
        run = self.run
        memory = run.memory = run.memory + size - self.sizes[place]
        self.sizes[place] = size
        self.values[place] = copied
        if memory > limits.MEMORY_BYTES:
            raise memory_error(memory)

    def grow(self, place: int, size: int) -> None:
        """Account for a change inside a variable."""
        self.sizes[place] += size
        self.run.memory += size
        if self.run.memory > limits.MEMORY_BYTES:
            raise memory_error(self.run.memory)

    def clear(self, places: tuple[int, ...]) -> None:
        """Forget variables whose scope ends or begins."""
        for place in places:
            self.values[place] = UNSET
            self.run.memory -= self.sizes[place]
            self.sizes[place] = 0

    def release(self) -> None:
        """Give back the memory of all variables: the activation is over."""
        self.run.memory -= sum(self.sizes)

    def variables(self) -> dict[str, Any]:
        """Give the variables that are set, for a detailed history."""
        found = self.up.variables() if self.up is not None else {}
        for name, value in zip(self.names, self.values, strict=True):
            if value is not UNSET:
                found[name] = value
        return found


def memory_error(memory: int) -> Exception:
    """Build the error for too much memory; it cannot be caught."""
    return limit_error(
        f"variables use {memory} bytes of memory, the limit is {limits.MEMORY_BYTES}",
        "MemoryLimitExceededError",
    )
