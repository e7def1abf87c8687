"""A bench for workflows: a virtual clock and a transport that answers from a table."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.workflows.code.compiler import compile_source
from localcloud.workflows.effects import HttpReply, HttpRequest
from localcloud.workflows.running.engine import Engine, TransportError
from localcloud.workflows.running.machine import Execution, Settings


@dataclass
class Bench:
    """Runs sources; ``answers`` maps "METHOD URL" to replies, the last of which repeats."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    answers: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[HttpRequest] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    callbacks: list[str] = field(default_factory=list)
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        """Make the engine."""
        self.engine = Engine(
            self.clock,
            self._answer,
            create_callback=self._callback,
            write_log=lambda _execution, entry: self.logs.append(entry),
        )

    def start(self, source: str, argument: Any = None, **more: Any) -> Execution:
        """Begin an execution without letting time pass."""
        program = compile_source(textwrap.dedent(source))
        execution = Execution(program, argument, host=self.engine, settings=self.settings, **more)
        execution.start()
        return execution

    def run(self, source: str, argument: Any = None, **more: Any) -> Execution:
        """Run an execution to its end."""
        execution = self.start(source, argument, **more)
        self.clock.run_until_idle()
        assert execution.state != "ACTIVE"
        return execution

    def result(self, source: str, argument: Any = None) -> Any:
        """Give the result of a workflow that succeeds."""
        execution = self.run(source, argument)
        assert execution.error is None, execution.error
        return execution.result

    def error(self, source: str, argument: Any = None) -> Any:
        """Give the error value of a workflow that fails."""
        execution = self.run(source, argument)
        assert execution.error is not None
        return execution.error.value

    def value(self, expression: str) -> Any:
        """Give the value of an expression."""
        return self.result(json.dumps([{"only": {"return": "${" + expression + "}"}}]))

    def tags(self, expression: str) -> list[str]:
        """Give the tags of the error that an expression raises."""
        found = self.error(json.dumps([{"only": {"return": "${" + expression + "}"}}]))
        assert isinstance(found, dict)
        return list(found["tags"])

    def _answer(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        address = request.url.partition("?")[0]
        replies = self.answers.get(f"{request.method} {address}")
        if not replies:
            raise TransportError("refused", f"nobody answers {request.method} {request.url}")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, str):
            raise TransportError(reply)
        if isinstance(reply, HttpReply):
            return reply
        status, body = reply
        content = json.dumps(body).encode()
        return HttpReply(status, {"content-type": "application/json"}, content)

    def _callback(self, execution: Execution, method: str) -> str:
        self.callbacks.append(f"https://callbacks.example/{method}/{execution.steps}")
        return self.callbacks[-1]


@pytest.fixture
def bench() -> Bench:
    """An empty bench."""
    return Bench()
