"""The documented limits hold, and the interpreter is quick enough to reach them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from localcloud.workflows import limits

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

FOREVER = """
- a: {assign: [{n: 0}]}
- b: {switch: [{condition: "${n < 0}", next: end}], next: c}
- c: {assign: [{n: "${n + 1}"}], next: b}
"""


def test_a_workflow_that_never_ends_is_stopped(bench: Bench) -> None:
    """A hundred thousand steps are the limit."""
    execution = bench.run(FOREVER)
    assert execution.error is not None
    assert execution.error.value["tags"] == ["StepLimitExceededError", "ResourceLimitError"]
    assert limits.STEPS < execution.steps <= limits.STEPS + 3


def test_twenty_thousand_steps_a_second(bench: Bench) -> None:
    """Assignments and switches are quick, with their step entries on."""
    begun = time.process_time()  # of this process, so that a busy machine does not matter
    execution = bench.run(FOREVER)
    assert execution.steps / (time.process_time() - begun) > 20_000
    assert len(execution.history.entries) >= limits.STEPS


def test_memory_is_counted_as_documented(bench: Bench) -> None:
    """A number is 8 bytes; texts, lists and maps are 8 and their parts; variables add up."""
    execution = bench.start("""
        - a: {assign: [{n: 1}, {s: abc}, {l: [1, 2]}, {m: {k: xy}}, {t: "${s}"}]}
        - b: {assign: [{"m.z": 1}, {"l[0]": abcd}]}
        - c: {call: sys.sleep, args: {seconds: 1}}
    """)
    bench.clock.advance(0)
    assert execution.memory == 8 + 11 + (8 + 12 + 8) + (8 + 9 + 10 + 9 + 8) + 11
    bench.clock.run_until_idle()
    assert execution.memory == 0


def test_memory_comes_back(bench: Bench) -> None:
    """What a loop or a subworkflow used is free again when it is over."""
    source = """
        main:
          steps:
            - a: {for: {value: v, range: [1, 200], steps: [{b: {call: big}}, {c: {assign: [{x: "${big()}"}]}}]}}
            - d: {return: done}
        big:
          steps:
            - e: {assign: [{s: "0123456789"}]}
            - f: {for: {value: i, range: [1, 10], steps: [{g: {assign: [{s: "${s + s}"}]}}]}}
            - h: {return: "${s}"}
    """
    execution = bench.run(source)
    assert execution.result == "done"
    assert execution.memory == 0


def test_too_long_an_argument(bench: Bench) -> None:
    """An argument has at most 32 kilobytes."""
    source = "main: {params: [a], steps: [{b: {return: 1}}]}"
    assert bench.error(source, "x" * 33_000)["tags"] == ["ResourceLimitError"]


def test_call_depth(bench: Bench) -> None:
    """Twenty activations deep is allowed, one more is not."""
    source = """
        main:
          params: [n]
          steps:
            - a: {call: down, args: {n: "${n}"}, result: r}
            - b: {return: "${r}"}
        down:
          params: [n]
          steps:
            - c: {switch: [{condition: "${n <= 1}", return: bottom}]}
            - d: {return: "${down(n - 1)}"}
    """
    assert bench.result(source, 19) == "bottom"
    assert bench.error(source, 20)["tags"] == ["RecursionError"]


def test_steps_are_counted_as_documented(bench: Bench) -> None:
    """A try with one call is three steps, and six when it is retried once."""
    bench.answers["GET https://x.example/"] = [(503, {}), (200, {})]
    source = """
        - a:
            try: {call: http.get, args: {url: "https://x.example/"}}
            retry: "${http.default_retry}"
    """
    assert bench.run(source).steps == 6
    assert bench.run(source).steps == 3
