"""Branches and iterations run side by side, share what they may, and fail together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

SLEEPERS = """
- p:
    parallel:
      LIMIT
      for: {value: v, range: [1, COUNT], steps: [{s: {call: sys.sleep, args: {seconds: 10}}}]}
"""


@pytest.mark.parametrize(
    ("limit", "count", "seconds"),
    [
        ("", 20, 10),
        ("", 21, 20),
        ("concurrency_limit: 2", 5, 30),
        ("concurrency_limit: '${1 + 4}'", 5, 10),
    ],
)
def test_how_many_run_at_once(bench: Bench, limit: str, count: int, seconds: float) -> None:
    """At most the limit of the step and twenty in all run at a time, the others queue."""
    begun = bench.clock.now()
    bench.result(SLEEPERS.replace("LIMIT", limit).replace("COUNT", str(count)))
    assert bench.clock.now() - begun == seconds


@pytest.mark.parametrize(("limit", "tag"), [("0", "ValueError"), ("2.5", "TypeError")])
def test_a_computed_limit_is_checked(bench: Bench, limit: str, tag: str) -> None:
    """A limit that is no positive integer is an error when it is computed."""
    source = SLEEPERS.replace("LIMIT", f"concurrency_limit: '${{{limit} + 0}}'").replace(
        "COUNT", "2"
    )
    assert bench.error(source)["tags"] == [tag]


def test_nested_parallel_steps_do_not_block_each_other(bench: Bench) -> None:
    """Branches that wait for their own branches take no place away from them."""
    source = """
        - a: {assign: [{n: 0}]}
        - b:
            parallel:
              shared: [n]
              for:
                value: v
                range: [1, 30]
                steps:
                  - c:
                      parallel:
                        shared: [n]
                        for:
                          value: w
                          range: [1, 5]
                          steps:
                            - d: {call: sys.sleep, args: {seconds: 1}}
                            - e: {assign: [{n: "${n + 1}"}]}
        - f: {return: "${n}"}
    """
    assert bench.result(source) == 150


def test_twenty_run_at_once_in_all_steps_together(bench: Bench) -> None:
    """Branches of different steps share the limit of the execution."""
    source = """
        - a:
            parallel:
              for:
                value: v
                range: [1, 5]
                steps:
                  - b:
                      parallel:
                        for:
                          value: w
                          range: [1, 10]
                          steps: [{c: {call: sys.sleep, args: {seconds: 10}}}]
    """
    begun = bench.clock.now()
    bench.result(source)
    assert bench.clock.now() - begun == 30


def test_the_third_level_is_too_deep(bench: Bench) -> None:
    """Nesting has a limit, also through a subworkflow."""
    source = """
        main:
          steps:
            - a: {parallel: {for: {value: v, in: [1], steps: [{b: {call: sub}}]}}}
        sub:
          steps:
            - c: {parallel: {for: {value: v, in: [1], steps: [{d: {call: deepest}}]}}}
        deepest:
          steps:
            - e:
                try: {parallel: {for: {value: v, in: [1], steps: [{f: {assign: [{x: 1}]}}]}}}
                except: {as: e, steps: [{g: {raise: "${e}"}}]}
    """
    outer = bench.error(source)["branches"][0]["error"]["payload"]
    assert outer["branches"][0]["error"]["payload"]["tags"] == ["ParallelNestingError"]


def test_unhandled_errors_are_gathered(bench: Bench) -> None:
    """The others run on; the step then raises one error that names each."""
    source = """
        - a: {assign: [{done: []}]}
        - b:
            try:
              parallel:
                shared: [done]
                branches:
                  - good: {steps: [{c: {call: sys.sleep, args: {seconds: 5}}}, {d: {assign: [{done: [good]}]}}]}
                  - bad: {steps: [{e: {raise: {code: 7}}}]}
            except: {as: e, steps: [{f: {return: ["${done}", "${e}"]}}]}
    """
    done, error = bench.result(source)
    assert done == ["good"]
    assert error["tags"] == ["UnhandledBranchError", "RuntimeError"]
    assert [(branch["id"], branch["error"]["payload"]) for branch in error["branches"]] == [
        ("bad", {"code": 7})
    ]
    assert error["truncated"] is False


def test_no_iteration_is_no_error(bench: Bench) -> None:
    """An empty list is nothing to wait for."""
    assert (
        bench.result("- a: {parallel: {for: {value: v, in: [], steps: [{b: {raise: x}}]}}}") is None
    )


def test_slots_of_a_shared_list_keep_the_order(bench: Bench) -> None:
    """Writing to a place of one's own keeps results in order, whoever is first."""
    source = """
        - a: {assign: [{out: [null, null, null]}]}
        - b:
            parallel:
              shared: [out]
              for:
                value: v
                index: i
                in: [3, 2, 1]
                steps:
                  - c: {call: sys.sleep, args: {seconds: "${v}"}}
                  - d: {assign: [{"out[i]": "${v * 10}"}]}
        - e: {return: "${out}"}
    """
    assert bench.result(source) == [30, 20, 10]
