"""What Cloud Build needs from the machine that builds; builder.py is real, paper_builder.py is not."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

Log = Callable[[str], None]


class StepFailed(Exception):  # noqa: N818 - it is how a build ends, not an error of ours
    """A step came to a bad end; the message is for the build's log."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Exception):  # noqa: N818 - likewise
    """The build was told to stop."""


@dataclass(frozen=True)
class Built:
    """An image that a step built and that has not been pushed: its tree and configuration."""

    root: Path
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """One build to carry out.

    Args:
        id: Of the build.
        build: The resource, substitutions put in.
        source: The archive to unpack into the workspace, if any.
        secrets: Values of the secret environment variables.
        log: Gets the output line by line.
        cancelled: Set when the build is to stop.

    """

    id: str
    build: Mapping[str, Any]
    source: Path | None
    secrets: Mapping[str, str]
    log: Log
    cancelled: threading.Event


@dataclass
class Outcome:
    """How a build ended.

    Args:
        status: As in the API: SUCCESS, FAILURE, TIMEOUT, CANCELLED.
        detail: One sentence for statusDetail.
        failure: Type of failureInfo, when there is one.
        steps: One map per step with status, timing and exitCode.
        images: Local images by tag.
        pushed: Tags that steps pushed themselves.
        workspace: What the steps left, for artifacts; None on paper.

    """

    status: str
    detail: str = ""
    failure: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    images: dict[str, Built] = field(default_factory=dict)
    pushed: list[str] = field(default_factory=list)
    workspace: Path | None = None


class Builder(Protocol):
    """Carries out builds."""

    def refusal(self, build: Mapping[str, Any]) -> str | None:
        """Say which part of this build cannot be carried out here, or None."""

    def run(self, job: Job) -> Outcome:
        """Carry out every step; nothing is pushed."""

    def discard(self, build: str) -> None:
        """Remove what is left of a build after its images were pushed."""

    def tidy(self) -> None:
        """Remove what builds have left that the end of the local cloud interrupted."""
