"""What the platforms of containers need from the machine behind it; containers.py is real, paper_containers.py is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class ContainerError(Exception):
    """A container could not be made or did not become ready.

    Args:
        message: Google's sentence.
        reason: the condition's reason, such as ``HEALTH_CHECK_CONTAINER_ERROR``.
        log: the last lines the container wrote.
        died: whether it ended by itself.

    """

    def __init__(self, message: str, *, reason: str, log: str = "", died: bool = False) -> None:
        super().__init__(message)
        self.died = died
        self.reason = reason
        self.log = log


@dataclass(frozen=True)
class Workload:
    """A revision or a task: the template, and what the platform adds to it."""

    name: str  # the full resource name of the revision or task
    project: str
    region: str
    template: Mapping[str, Any]  # containers, volumes, serviceAccount as in the API
    env: Mapping[str, str]  # K_SERVICE and the like
    log_resource: Mapping[str, Any]  # the monitored resource its log entries carry
    log_labels: Mapping[str, str] = field(default_factory=dict)
    log_host: str = "run.googleapis.com"  # whose logs its lines go to
    logged: bool = True  # whether its account may write them
    external: bool = False  # whether its machine has an address of the internet

    @property
    def id(self) -> str:
        """The last segment of the name."""
        return self.name.rpartition("/")[2]

    @property
    def account(self) -> str:
        """The e-mail address of the runtime service account."""
        return str(self.template["serviceAccount"])


@dataclass(frozen=True)
class Ended:
    """How a task's container ended; at most one of code and signal means something."""

    code: int
    log: str = ""
    timed_out: bool = False
    cancelled: bool = False


class Instance(Protocol):
    """One running copy of a revision."""

    id: str

    @property
    def port(self) -> int | None:
        """The loopback port it answers on; None when it answers nowhere (paper)."""

    @property
    def alive(self) -> bool:
        """Whether every container of it still runs."""

    def stop(self, grace: float = 10.0) -> None:
        """Ask it to end, insist after *grace* seconds."""


class Containers(Protocol):
    """Runs workloads."""

    def start(self, workload: Workload) -> Instance:
        """Start an instance and return it when its startup probes succeeded."""

    def run(self, workload: Workload, *, timeout: float) -> Ended:
        """Run a task to its end."""

    def cancel(self, prefix: str) -> None:
        """End every running task whose name starts with *prefix*."""

    def close(self) -> None:
        """Stop everything that runs."""
