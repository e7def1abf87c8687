"""An execution goes on from its journal as if nothing had happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

SOURCE = """
main:
  params: [n]
  steps:
    - a: {assign: [{seen: []}, {id: "${uuid.generate()}"}, {now: "${sys.now()}"}]}
    - b:
        parallel:
          shared: [seen]
          for:
            value: v
            range: [1, "${n}"]
            steps:
              - c: {call: sys.sleep, args: {seconds: "${10 - v}"}}
              - d: {call: http.get, args: {url: "${\\"https://x.example/\\" + string(v)}"}, result: r}
              - e: {assign: [{seen: "${list.concat(seen, [v, r.body.n])}"}]}
    - f: {call: sys.log, args: {text: end}}
    - g: {return: ["${seen}", "${id}", "${now}"]}
"""


def answers() -> dict[str, list[Any]]:
    """Give what the server says."""
    return {f"GET https://x.example/{n}": [(200, {"n": n * 10})] for n in range(1, 6)}


def without_time(record: dict[str, Any]) -> dict[str, Any]:
    """Leave out when something happened, which is later for whoever comes back."""
    return {key: value for key, value in record.items() if key != "at"}


def test_any_beginning_of_the_journal_leads_to_the_same_end(bench: Bench) -> None:
    """Wherever the process ended, the resumed execution has the same result."""
    bench.answers = answers()
    whole: list[dict[str, Any]] = []
    execution = bench.run(SOURCE, 4, write=whole.append)
    assert execution.error is None
    assert len(whole) == 1 + 2 + 2 * 8
    for length in range(3, len(whole) + 1):
        again: list[dict[str, Any]] = []
        later = type(bench)(answers=answers())
        resumed = later.run(SOURCE, 4, past=whole[:length], write=again.append)
        assert resumed.result == execution.result
        assert len(later.requests) == 4 - sum("http" in record for record in whole[:length])
        assert later.logs == [{"severity": "DEFAULT", "textPayload": "end"}]
        assert [*map(without_time, whole[:length] + again)] == [*map(without_time, whole)]


@pytest.mark.parametrize(
    ("method", "issued", "requests", "tags"),
    [
        ("get", True, 1, None),
        ("post", False, 1, None),
        ("post", True, 0, ["ConnectionError"]),
    ],
)
def test_a_request_under_way(
    bench: Bench, method: str, *, issued: bool, requests: int, tags: list[str] | None
) -> None:
    """Reading is done again; a write that was sent and not answered is a broken connection."""
    bench.answers = {"GET https://x.example/": [(200, {})], "POST https://x.example/": [(200, {})]}
    source = f'- a: {{call: http.{method}, args: {{url: "https://x.example/"}}}}'
    past: list[dict[str, Any]] = [{"started": bench.clock.now()}]
    if issued:
        past.append({"issued": [0, 1], "due": None})
    resumed = bench.run(source, past=past)
    assert len(bench.requests) == requests
    assert (resumed.error.value["tags"] if resumed.error else None) == tags


def test_a_sleep_is_not_slept_twice(bench: Bench) -> None:
    """A wait ends when it would have ended."""
    begun = bench.clock.now()
    bench.clock.advance(70)
    past = [{"started": begun}, {"issued": [0, 1], "due": begun + 100}]
    bench.run("- a: {call: sys.sleep, args: {seconds: 100}}", past=past)
    assert bench.clock.now() == begun + 100


def test_a_callback_keeps_its_endpoint(bench: Bench) -> None:
    """The URL that others were given still works."""
    source = """
        - a: {call: events.create_callback_endpoint, result: cb}
        - b: {call: events.await_callback, args: {callback: "${cb}", timeout: 60}, result: r}
        - c: {return: "${r.type}"}
    """
    past = [{"started": bench.clock.now()}, {"observed": "https://callbacks.example/old"}]
    resumed = bench.start(source, past=past)
    bench.clock.advance(1)
    assert resumed.waiters("https://callbacks.example/old") == 1
    assert bench.callbacks == []
    bench.clock.run_until_idle()
    assert resumed.error is not None
    assert resumed.error.value["tags"] == ["TimeoutError"]
