"""What a running task asks of the world; everything else it does is computing."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from localcloud.workflows.running.tasks import Task


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Auth:
    """Which token a request carries: OAuth2 with scopes, or OIDC for an audience."""

    kind: str
    scopes: tuple[str, ...] = ()
    audience: str = ""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """Perform an HTTP request."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 300.0
    auth: Auth | None = None


@dataclass(frozen=True, slots=True)
class AwaitCallback:
    """Wait until somebody calls the endpoint, or the time is over."""

    url: str
    timeout: float


@dataclass(frozen=True, slots=True)
class Fork:
    """Run these tasks side by side and wait for all of them."""

    tasks: "tuple[Task, ...]"
    limit: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Let others have a turn."""


PAUSE: Final = Pause()

Effect: TypeAlias = Sleep | HttpRequest | AwaitCallback | Fork | Pause
Running: TypeAlias = Generator[Effect, Any, Any]


# -- what comes back -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HttpReply:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpFault:
    """No answer to a request: ``refused``, ``reset``, ``timeout`` or ``auth``."""

    kind: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class CallbackReceived:
    """Somebody called the endpoint; None in place of this means the time is over."""

    received_time: str
    http_request: dict[str, Any]
    kind: str = "HTTP"
