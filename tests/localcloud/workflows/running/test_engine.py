"""With a real clock, what can happen at the same time does; callbacks reach who waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from localcloud.clock import RealClock
from localcloud.workflows.code.compiler import compile_source
from localcloud.workflows.effects import CallbackReceived, HttpReply, HttpRequest
from localcloud.workflows.running.engine import Engine, FixedTokens, TokenError
from localcloud.workflows.running.machine import Execution
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.localcloud.workflows.conftest import Bench

AWAIT = """
- a: {call: events.create_callback_endpoint, args: {http_callback_method: PUT}, result: cb}
- b: {call: events.await_callback, args: {callback: "${cb}", timeout: 60}, result: r}
- c: {return: "${r.http_request.body}"}
"""


@pytest.fixture
def clock() -> Iterator[RealClock]:
    """The machine's time."""
    made = RealClock()
    yield made
    made.close()


def run(engine: Engine, source: str) -> Execution:
    """Run an execution to its end."""
    execution = Execution(compile_source(source), host=engine)
    ended = threading.Event()
    execution.on_end.append(lambda _execution: ended.set())
    execution.start()
    assert ended.wait(20)
    return execution


def test_requests_of_branches_overlap(clock: RealClock) -> None:
    """Ten branches wait for their answers together."""
    together = threading.Barrier(10, timeout=10)

    def answer(_request: HttpRequest) -> HttpReply:
        together.wait()
        return HttpReply(200, {}, b"")

    engine = Engine(clock, answer)
    execution = run(
        engine,
        "- a: {parallel: {for: {value: v, range: [1, 10], steps: [{b: {call: http.get, "
        'args: {url: "https://x.example/"}}}]}}}',
    )
    engine.close()
    assert execution.error is None


def test_a_server_that_never_answers(clock: RealClock) -> None:
    """A time-out holds even if the transport does not keep it."""
    forever = threading.Event()

    def answer(_request: HttpRequest) -> HttpReply:
        forever.wait(20)
        return HttpReply(200, {}, b"")

    engine = Engine(clock, answer)
    execution = run(
        engine, '- a: {call: http.get, args: {url: "https://x.example/", timeout: 0.1}}'
    )
    forever.set()
    engine.close()
    assert execution.error is not None
    assert execution.error.value["tags"] == ["TimeoutError", "OSError"]


def test_sleeping_needs_no_thread(clock: RealClock) -> None:
    """Two hundred sleeping executions do not take two hundred threads."""
    engine = Engine(clock, lambda _request: HttpReply(200, {}, b""))
    program = compile_source("- a: {call: sys.sleep, args: {seconds: 0.3}}")
    executions = [Execution(program, host=engine) for _ in range(200)]
    before = threading.active_count()
    for execution in executions:
        execution.start()
    assert threading.active_count() - before < 50
    eventually(lambda: all(e.state != "ACTIVE" for e in executions))
    engine.close()
    assert {execution.state for execution in executions} == {"SUCCEEDED"}


def test_a_busy_execution_gives_way(clock: RealClock) -> None:
    """One that only computes does not keep others waiting, and can be cancelled."""
    engine = Engine(clock, lambda _request: HttpReply(200, {}, b""))
    busy = Execution(
        compile_source("- a: {assign: [{n: 0}]}\n- b: {assign: [{n: '${n + 1}'}], next: b}"),
        host=engine,
    )
    busy.start()
    assert run(engine, "- a: {return: quick}").result == "quick"
    busy.cancel()
    eventually(lambda: busy.state != "ACTIVE")
    engine.close()
    assert busy.state in ("CANCELLED", "FAILED")


def test_turns_are_taken(bench: Bench) -> None:
    """A long computation is interrupted for others."""
    order: list[str] = []
    loop = "- a: {assign: [{n: 0}]}\n- b: {switch: [{condition: '${n == 9000}', next: end}]}\n"
    for name, source in (
        ("long", loop + "- c: {assign: [{n: '${n + 1}'}], next: b}"),
        ("short", "- a: {return: 1}"),
    ):
        execution = bench.start(source)
        execution.on_end.append(lambda _execution, name=name: order.append(name))  # type: ignore[misc]
    bench.clock.run_until_idle()
    assert order == ["short", "long"]


def test_a_callback_is_taken_by_who_waits(bench: Bench) -> None:
    """The request arrives as the result of the wait."""
    execution = bench.start(AWAIT)
    bench.clock.advance(1)
    (url,) = bench.callbacks
    assert "/PUT/" in url
    assert execution.receive_callback(url, CallbackReceived("now", {"body": 7}))
    bench.clock.advance(1)
    assert execution.result == 7


def test_an_early_callback_is_kept(bench: Bench) -> None:
    """One that comes before anybody waits is not lost."""
    source = AWAIT.replace("- b:", "- nap: {call: sys.sleep, args: {seconds: 5}}\n- b:")
    execution = bench.start(source)
    bench.clock.advance(1)
    assert not execution.receive_callback(bench.callbacks[0], CallbackReceived("now", {"body": 8}))
    bench.clock.advance(10)
    assert execution.result == 8


def test_nobody_calls(bench: Bench) -> None:
    """The wait ends with TimeoutError, and a late call finds nobody."""
    execution = bench.run(AWAIT)
    assert execution.error is not None
    assert execution.error.value["tags"] == ["TimeoutError"]
    assert not execution.receive_callback(bench.callbacks[0], CallbackReceived("late", {}))


def test_no_token_is_an_error_of_its_own(bench: Bench) -> None:
    """A request without credentials is not sent."""

    class Broken(FixedTokens):
        def access_token(self, execution: Execution, scopes: tuple[str, ...]) -> str:
            del execution, scopes
            raise TokenError("account disabled")

    bench.engine.tokens = Broken()
    error = bench.error(
        '- a: {call: http.get, args: {url: "https://x.example/", auth: {type: OAuth2}}}'
    )
    assert error["tags"] == ["AuthError"]
    assert "account disabled" in error["message"]
    assert bench.requests == []


def test_a_cancelled_execution_takes_no_more_steps(bench: Bench) -> None:
    """Cancelling ends the wait."""
    execution = bench.start("- a: {call: sys.sleep, args: {seconds: 100}}\n- b: {return: 1}")
    bench.clock.advance(1)
    execution.cancel()
    bench.clock.advance(1)
    assert (execution.state, execution.result) == ("CANCELLED", None)
