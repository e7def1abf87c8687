"""Names: which variable belongs to which scope, decided before anything runs.

A routine is one scope. ``for``, ``except`` and each parallel branch open a scope of their own in
it. All names assigned anywhere in a scope belong to it; there is no flow analysis.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.nodes import Assign, CallStep, Name, Step, Steps, Switch, Try


@dataclass
class Layout:
    """The numbered places of one activation: of a routine, or of a parallel branch."""

    names: list[str] = field(default_factory=list)

    def place(self, name: str) -> int:
        """Give a new place."""
        self.names.append(name)
        return len(self.names) - 1


@dataclass
class Scope:
    """A scope at compile time.

    ``branch`` scopes have a layout of their own; a variable of an outer layout is reached by
    as many hops as there are branches in between, and written only if each of them shares it.
    """

    layout: Layout
    parent: "Scope | None" = None
    branch: bool = False
    shared: frozenset[str] = frozenset()
    places: dict[str, int] = field(default_factory=dict)
    loop_variables: set[str] = field(default_factory=set)

    def declare(self, name: str) -> int:
        """Make the name a variable of this scope."""
        if name not in self.places:
            self.places[name] = self.layout.place(name)
        return self.places[name]

    def find(self, name: str) -> tuple[int, int] | None:
        """Give hops and place of a variable, or None if there is none of that name."""
        hops = 0
        scope: Scope | None = self
        while scope is not None:
            if name in scope.places:
                return hops, scope.places[name]
            hops += scope.branch
            scope = scope.parent
        return None

    def find_writable(self, name: str) -> tuple[int, int] | None:
        """Give hops and place of a variable to write; refuse it where it is not shared."""
        scope: Scope | None = self
        while scope is not None and name not in scope.places:
            if scope.branch and name not in scope.shared and scope.find(name) is not None:
                message = (
                    f"variable '{name}' belongs to the scope around the parallel step and "
                    "is not listed in 'shared', so it cannot be assigned here"
                )
                raise DeployError(message)
            scope = scope.parent
        return self.find(name)

    def is_loop_variable(self, name: str) -> bool:
        """Say whether a loop around here has a variable of this name."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.loop_variables:
                return True
            scope = scope.parent
        return False

    def local_places(self) -> tuple[int, ...]:
        """Give the places of the variables this scope itself declares."""
        return tuple(self.places.values())

    def take(self, steps: tuple[Step, ...]) -> None:
        """Declare the names that these steps create in this scope."""
        for step, name in assigned_names(steps):
            try:
                if self.find_writable(name) is None:
                    self.declare(name)
            except DeployError as error:
                error.step = step.name
                error.position = step.position
                raise


def assigned_names(steps: tuple[Step, ...]) -> Iterator[tuple[Step, str]]:  # noqa: C901 - one branch a statement
    """Give each name assigned by these steps, not looking into blocks with their own scope."""
    for step in steps:
        statement = step.statement
        if isinstance(statement, Assign):
            for assignment in statement.assignments:
                if isinstance(assignment.target, Name):
                    yield step, assignment.target.name
        elif isinstance(statement, CallStep):
            if statement.result is not None:
                yield step, statement.result
        elif isinstance(statement, Switch):
            for case in statement.cases:
                if case.body is not None:
                    yield from assigned_names((case.body,))
        elif isinstance(statement, Try | Steps):
            yield from assigned_names(statement.steps)
