"""The two ways a workflow goes wrong: it cannot be deployed, or it raises while it runs."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands in the source; lines and columns count from one."""

    line: int
    column: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class StackElement:
    """One line of a stack trace, innermost first."""

    step: str
    routine: str
    position: Position | None


class DeployError(Exception):
    """The source is refused before anything runs.

    The text has the shape Google gives it:
    ``failed to build: error in step step2: error evaluating return value: ...``.
    """

    def __init__(
        self,
        reason: str,
        *,
        step: str | None = None,
        position: Position | None = None,
        symbol: str = "",
    ) -> None:
        """Remember the reason; step and position are filled in by whoever knows them.

        ``symbol`` is the name in an expression that the reason is about.
        """
        super().__init__(reason)
        self.reason = reason
        self.step = step
        self.position = position
        self.symbol = symbol

    def __str__(self) -> str:
        """Give the build message."""
        where = f"error in step {self.step}: " if self.step is not None else ""
        return f"failed to build: {where}{self.reason}"


@dataclass(eq=False)
class WorkflowError(Exception):
    """An error value on its way up: what ``except`` binds and ``raise`` throws.

    ``owner`` is the routine activation that has already left its mark in the trace, so that
    each activation leaves exactly one.
    """

    value: Any
    catchable: bool = True
    trace: list[StackElement] = field(default_factory=list)
    owner: object = None

    def __str__(self) -> str:
        """Give the message a person reads first."""
        return summary(self.value)


def summary(value: object) -> str:
    """Say in one line what an error value is about; the runtime's own errors have a message."""
    if isinstance(value, dict):
        message = value.get("message")
        if isinstance(message, str) and isinstance(value.get("tags"), list):
            return message
    return f"RuntimeError: {json.dumps(value, ensure_ascii=False, default=str)}"


def failure(tag: str, message: str, *more_tags: str, **fields: object) -> WorkflowError:
    """Build the error the runtime itself raises: a map with a message and tags."""
    return WorkflowError({"message": message, "tags": [tag, *more_tags], **fields})


def type_error(message: str) -> WorkflowError:
    """Build the error for a value of the wrong type."""
    return failure("TypeError", message)


def value_error(message: str) -> WorkflowError:
    """Build the error for a value of the right type that cannot be used."""
    return failure("ValueError", message)


def limit_error(message: str, *more_tags: str) -> WorkflowError:
    """Build the error for a resource limit; it cannot be caught and ends the execution."""
    tag, *others = (*more_tags, "ResourceLimitError")
    error = failure(tag, message, *others)
    error.catchable = False
    return error
