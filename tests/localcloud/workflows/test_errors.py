"""Errors keep their value, know their place, and are retried by the documented rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.workflows.report import context_text, payload_text, stack_trace

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

CALL = """
- a:
    try: {call: http.get, args: {url: "https://x.example/"}, result: r}
    retry: POLICY
- b: {return: "${r.code}"}
"""
KEY = "GET https://x.example/"


def test_context_and_trace_lead_to_the_place(bench: Bench) -> None:
    """An uncaught error shows each routine it went through, innermost first."""
    execution = bench.run("""
        main:
          steps:
            - outer: {call: sub, args: {m: {}}}
        sub:
          params: [m]
          steps:
            - inner:
                return: ${m.missing}
    """)
    assert execution.error is not None
    assert context_text(execution.error).splitlines() == [
        "KeyError: key not found: missing",
        'in step "inner", routine "sub", line: 9',
        'in step "outer", routine "main", line: 4',
    ]
    elements = stack_trace(execution.error)["elements"]
    assert elements[0] == {
        "step": "inner",
        "routine": "sub",
        "position": {"line": "9", "column": "17", "length": "12"},
    }


def test_a_routine_is_once_in_the_trace(bench: Bench) -> None:
    """However deep a step is nested, its routine has one line, that of the innermost step."""
    execution = bench.run("""
        - outer:
            for:
              value: v
              in: [1]
              steps:
                - middle: {switch: [{condition: true, steps: [{inner: {raise: no}}]}]}
    """)
    assert execution.error is not None
    assert [element.step for element in execution.error.trace] == ["inner"]


def test_an_http_error_shows_its_map(bench: Bench) -> None:
    """The context of an HTTP error goes on with what the server said."""
    bench.answers[KEY] = [(404, {"reason": "gone"})]
    execution = bench.run('- a: {call: http.get, args: {url: "https://x.example/"}}')
    assert execution.error is not None
    assert '"reason": "gone"' in context_text(execution.error)
    assert execution.error.value["headers"] == {"Content-Type": "application/json"}


def test_a_raised_string_is_the_payload(bench: Bench) -> None:
    """Nothing is put around what a workflow raises."""
    execution = bench.run('- a: {raise: "as it is"}')
    assert execution.error is not None
    assert payload_text(execution.error.value) == '"as it is"'
    assert context_text(execution.error).startswith('RuntimeError: "as it is"')


@pytest.mark.parametrize(
    ("policy", "reply", "attempts"),
    [
        ("${http.default_retry}", (502, {}), 6),
        ("${http.default_retry}", "reset", 6),
        ("${http.default_retry}", "timeout", 6),
        ("${http.default_retry}", (500, {}), 1),
        ("${http.default_retry_non_idempotent}", (503, {}), 6),
        ("${http.default_retry_non_idempotent}", "refused", 6),
        ("${http.default_retry_non_idempotent}", "reset", 1),
        ("${http.default_retry_non_idempotent}", (502, {}), 1),
        (
            "{predicate: '${retry.always}', max_retries: 2, backoff: '${retry.default_backoff}'}",
            (400, {}),
            3,
        ),
        (
            "{predicate: '${retry.never}', max_retries: 2, backoff: '${retry.default_backoff}'}",
            (503, {}),
            1,
        ),
        ("{max_retries: 1, backoff: '${retry.default_backoff}'}", (404, {}), 2),
        ("{max_retries: 0, backoff: '${retry.default_backoff}'}", (404, {}), 1),
    ],
)
def test_attempts(bench: Bench, policy: str, reply: object, attempts: int) -> None:
    """A policy retries what it lists, as often as it says."""
    bench.answers[KEY] = [reply]
    bench.error(CALL.replace("POLICY", policy))
    assert len(bench.requests) == attempts


def test_delays_are_capped_and_have_no_jitter(bench: Bench) -> None:
    """The documented example waits 1, 2, 4 ... and never more than a minute."""
    bench.answers[KEY] = [(503, {})]
    policy = (
        "{predicate: '${http.default_retry_predicate}', max_retries: 8, "
        "backoff: {initial_delay: 1, max_delay: 60, multiplier: 2}}"
    )
    assert bench.run(CALL.replace("POLICY", policy)).sleeps == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    "policy",
    [
        "'${len(\"x\")}'",
        "{predicate: '${len(\"x\")}', max_retries: 1, backoff: '${retry.default_backoff}'}",
        "{max_retries: many, backoff: '${retry.default_backoff}'}",
        "{max_retries: -1, backoff: '${retry.default_backoff}'}",
        "{max_retries: 1, backoff: {initial_delay: -1, max_delay: 1, multiplier: 1}}",
    ],
)
def test_a_bad_policy_is_an_error_of_its_own(bench: Bench, policy: str) -> None:
    """A policy that makes no sense is not silently another one."""
    bench.answers[KEY] = [(503, {})]
    assert bench.error(CALL.replace("POLICY", policy))["tags"][0] in ("TypeError", "ValueError")


def test_an_error_in_a_predicate_is_the_error(bench: Bench) -> None:
    """A predicate that reads what is not there fails as any other routine."""
    bench.answers[KEY] = ["refused"]
    source = """
        main:
          steps:
            - a:
                try: {call: http.get, args: {url: "https://x.example/"}}
                retry: {predicate: "${mine}", max_retries: 3, backoff: "${retry.default_backoff}"}
        mine:
          params: [e]
          steps:
            - b: {return: "${e.code == 500}"}
    """
    assert bench.error(source)["tags"] == ["KeyError", "LookupError"]


def test_a_limit_cannot_be_caught(bench: Bench) -> None:
    """ResourceLimitError raised by the runtime ends the execution, also from a branch."""
    source = """
        - a: {assign: [{s: "0123456789abcdef0123456789abcdef"}]}
        - b:
            try:
              parallel:
                for:
                  value: v
                  in: [1]
                  steps:
                    - c: {assign: [{t: "${s}"}]}
                    - d: {assign: [{t: "${t + t}"}], next: d}
            except: {as: e, steps: [{f: {return: caught}}]}
    """
    assert bench.error(source)["tags"][-1] == "ResourceLimitError"


def test_an_error_of_that_name_raised_by_hand_can_be_caught(bench: Bench) -> None:
    """Only the runtime's own limits are final."""
    source = """
        - a:
            try: {raise: {tags: [ResourceLimitError]}}
            except: {as: e, steps: [{b: {return: "${e.tags}"}}]}
    """
    assert bench.result(source) == ["ResourceLimitError"]


RUNTIME_PLACES = {
    "a value in a list in a map": (
        "- s:\n    return:\n      k:\n        - 1\n        - ${1 / 0}\n",
        (5, 11),
    ),
    "a key of a map": ("- s:\n    return:\n      a: 1\n      ${1 / 0}: 2\n", (4, 7)),
    "the second assignment": ("- s:\n    assign:\n      - a: 1\n      - b: ${a.x}\n", (4, 12)),
    "where an assignment goes": ("- s:\n    assign:\n      - l: [1]\n      - l[3]: 5\n", (4, 9)),
    "a condition": (
        "- s:\n    switch:\n      - condition: ${1 / 0 == 1}\n        return: 1\n",
        (3, 20),
    ),
    "an argument": ("- s:\n    call: sys.log\n    args:\n      text: ${1 / 0}\n", (4, 13)),
    "the call itself": ("- s:\n    call: sys.sleep\n    args:\n      seconds: -1\n", (2, 5)),
    "what a loop goes over": (
        "- s:\n    for:\n      value: v\n      in: ${null}\n      steps: [{a: {next: break}}]\n",
        (4, 11),
    ),
    "a result that cannot be one": ('- s:\n    return: ${text.encode("a")}\n', (2, 13)),
}


@pytest.mark.parametrize("name", RUNTIME_PLACES)
def test_the_place_of_an_error(bench: Bench, name: str) -> None:
    """The trace begins at the expression that failed, not at the step around it."""
    source, place = RUNTIME_PLACES[name]
    execution = bench.run(source)
    assert execution.error is not None
    found = execution.error.trace[0]
    assert found.step == "s"
    assert found.position is not None
    assert (found.position.line, found.position.column) == place
