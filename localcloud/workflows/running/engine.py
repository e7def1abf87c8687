"""The host of executions: it sleeps, performs requests, and gives each execution its turns.

With a real clock, executions take turns on a few threads and requests run on many, so nothing
waits for anything it need not wait for, and an execution that sleeps holds no thread. With a
virtual clock everything happens inline, in an order that is always the same.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from localcloud.clock import Clock, VirtualClock
from localcloud.workflows.effects import (
    AwaitCallback,
    Effect,
    HttpFault,
    HttpReply,
    HttpRequest,
    Sleep,
)
from localcloud.workflows.errors import failure
from localcloud.workflows.running.machine import Execution, Key

log = logging.getLogger(__name__)

_TURNS = 2
_REQUESTS = 64


class TransportError(Exception):
    """No answer to a request: ``refused``, ``reset`` or ``timeout``."""

    def __init__(self, kind: str, message: str = "") -> None:
        """Say what went wrong."""
        super().__init__(message or kind)
        self.kind = kind


class TokenError(Exception):
    """No token could be had for a request."""


Transport = Callable[[HttpRequest], HttpReply]


class Tokens(Protocol):
    """Where the tokens of an execution come from."""

    def access_token(self, execution: Execution, scopes: tuple[str, ...]) -> str:
        """Give an OAuth2 access token."""

    def id_token(self, execution: Execution, audience: str) -> str:
        """Give an OIDC token."""


class FixedTokens:
    """Stand-in for a token source where nobody checks tokens."""

    def access_token(self, execution: Execution, scopes: tuple[str, ...]) -> str:  # noqa: ARG002
        """Give an OAuth2 access token."""
        return "access-token"

    def id_token(self, execution: Execution, audience: str) -> str:  # noqa: ARG002
        """Give an OIDC token."""
        return "id-token"


class Engine:
    """Runs executions."""

    def __init__(
        self,
        clock: Clock,
        transport: Transport,
        *,
        tokens: Tokens | None = None,
        create_callback: Callable[[Execution, str], str] | None = None,
        write_log: Callable[[Execution, dict[str, Any]], None] | None = None,
    ) -> None:
        """Prepare; threads start with the first execution."""
        self.clock = clock
        self.transport = transport
        self.tokens: Tokens = tokens or FixedTokens()
        self._create_callback = create_callback
        self._write_log = write_log
        self._inline = isinstance(clock, VirtualClock)
        self._turns: ThreadPoolExecutor | None = None
        self._requests: ThreadPoolExecutor | None = None
        if not self._inline:
            self._turns = ThreadPoolExecutor(_TURNS, thread_name_prefix="workflow")
            self._requests = ThreadPoolExecutor(_REQUESTS, thread_name_prefix="workflow-http")
        self._lock = threading.Lock()
        self._scheduled: set[Execution] = set()
        self._again: set[Execution] = set()
        self._closed = False

    def now(self) -> float:
        """Give the time."""
        return self.clock.now()

    def close(self) -> None:
        """Let no execution take another turn."""
        self._closed = True
        if self._turns is not None and self._requests is not None:
            self._turns.shutdown(wait=True, cancel_futures=True)
            self._requests.shutdown(wait=False, cancel_futures=True)

    # -- turns -------------------------------------------------------------------------------

    def schedule(self, execution: Execution) -> None:
        """Give an execution a turn soon; only one thread at a time runs it."""
        with self._lock:
            if self._closed:
                return
            if execution in self._scheduled:
                self._again.add(execution)
                return
            self._scheduled.add(execution)
        self._submit(execution)

    def _submit(self, execution: Execution) -> None:
        if self._turns is None:
            self.clock.call_at(self.clock.now(), lambda: self._turn(execution))
            return
        try:
            self._turns.submit(self._turn, execution)
        except RuntimeError:
            log.debug("the engine is closed; the execution stays where it is")

    def _turn(self, execution: Execution) -> None:
        more = False
        try:
            more = execution.advance()
        except Exception:  # a bug of ours in one execution must not end the turns of all others
            log.exception("an execution could not take its turn")
        with self._lock:
            more = more or execution in self._again
            self._again.discard(execution)
            if not more or self._closed:
                self._scheduled.discard(execution)
                return
        self._submit(execution)

    # -- effects -----------------------------------------------------------------------------

    def perform(self, execution: Execution, key: Key, effect: Effect, due: float | None) -> None:
        """Bring an effect about; its outcome goes back to the execution."""
        if isinstance(effect, Sleep | AwaitCallback):
            timer = self.clock.call_at(due or 0.0, lambda: execution.deliver(key, None))
            execution.on_end.append(lambda _execution: timer.cancel())
            if isinstance(effect, AwaitCallback):
                execution.await_callback(effect.url, key)
        elif isinstance(effect, HttpRequest):
            if self._requests is None:
                self._request(execution, key, effect)
            else:
                self._requests.submit(self._request_in_time, execution, key, effect)

    def _request_in_time(self, execution: Execution, key: Key, request: HttpRequest) -> None:
        # Whatever the transport does about its time-out, the workflow waits no longer.
        due = self.clock.now() + request.timeout
        timer = self.clock.call_at(due, lambda: execution.deliver(key, HttpFault("timeout")))
        try:
            self._request(execution, key, request)
        finally:
            timer.cancel()

    def _request(self, execution: Execution, key: Key, request: HttpRequest) -> None:
        outcome: HttpReply | HttpFault
        try:
            headers = self._authorized(execution, request)
            outcome = self.transport(
                HttpRequest(request.method, request.url, headers, request.body, request.timeout)
            )
        except TransportError as error:
            outcome = HttpFault(error.kind, str(error))
            if error.kind == "timeout" and self._inline:
                # Nobody has waited: let the time pass that a time-out takes.
                due = self.clock.now() + request.timeout
                self.clock.call_at(due, lambda: execution.deliver(key, outcome))
                return
        except TokenError as error:
            outcome = HttpFault("auth", str(error))
        except Exception as error:  # whatever the transport does, the workflow must hear of it
            log.exception("request failed: %s %s", request.method, request.url)
            outcome = HttpFault("reset", str(error))
        execution.deliver(key, outcome)

    def _authorized(self, execution: Execution, request: HttpRequest) -> dict[str, str]:
        if request.auth is None:
            return request.headers
        if request.auth.kind == "OIDC":
            token = self.tokens.id_token(execution, request.auth.audience)
        else:
            token = self.tokens.access_token(execution, request.auth.scopes)
        return {**request.headers, "Authorization": f"Bearer {token}"}

    def create_callback(self, execution: Execution, method: str) -> str:
        """Make an endpoint for a callback and give its URL."""
        if self._create_callback is None:
            raise failure("SystemError", "there is nobody here to receive callbacks")
        return self._create_callback(execution, method)

    def log(self, execution: Execution, entry: dict[str, Any]) -> None:
        """Write a log entry."""
        if self._write_log is not None:
            self._write_log(execution, entry)
