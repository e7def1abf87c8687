"""Step entries tell what ran inside what, and how it ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcloud.workflows.running.machine import Settings

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench


def test_entries_nest(bench: Bench) -> None:
    """Parents, kinds and states follow the source."""
    execution = bench.run("""
        main:
          steps:
            - loop: {for: {value: v, in: [1], steps: [{ask: {call: sub}}]}}
            - careful:
                try: {raise: no}
                except: {as: e, steps: [{set: {assign: [{x: 1}]}}]}
            - out: {return: 1}
        sub:
          steps:
            - jump: {next: end}
    """)
    found = [(e.number, e.step, e.routine, e.kind, e.parent) for e in execution.history.entries]
    assert found == [
        (1, "loop", "main", "STEP_FOR", 0),
        (2, "loop", "main", "STEP_FOR_ITERATION", 1),
        (3, "ask", "main", "STEP_CALL", 2),
        (4, "jump", "sub", "STEP_GOTO", 3),
        (5, "careful", "main", "STEP_TRY_RETRY_EXCEPT", 0),
        (6, "careful", "main", "STEP_TRY", 5),
        (7, "careful", "main", "STEP_RAISE", 6),
        (8, "careful", "main", "STEP_EXCEPT", 5),
        (9, "set", "main", "STEP_ASSIGN", 8),
        (10, "out", "main", "STEP_RETURN", 0),
    ]
    failed = [e.number for e in execution.history.entries if e.state == "STATE_FAILED"]
    assert failed == [6, 7]


def test_where_a_running_execution_is(bench: Bench) -> None:
    """The current steps are the innermost of each thread."""
    execution = bench.start("""
        - both:
            parallel:
              branches:
                - one: {steps: [{nap: {call: sys.sleep, args: {seconds: 1}}}]}
                - two: {steps: [{rest: {call: sys.sleep, args: {seconds: 2}}}]}
    """)
    bench.clock.advance(0)
    assert {entry.step for entry in execution.history.current()} >= {"nap", "rest"}
    bench.clock.run_until_idle()
    assert execution.history.current() == []


def test_detailed_history_has_variables(bench: Bench) -> None:
    """Values are recorded only where asked for."""
    source = "- a: {assign: [{x: [1]}]}\n- b: {assign: [{'x[0]': 2}]}"
    assert all(e.variables is None for e in bench.run(source).history.entries)
    bench.settings = Settings(detailed=True)
    seen = [json.loads(e.variables or "null") for e in bench.run(source).history.entries]
    assert seen == [{"x": [1]}, {"x": [2]}]
