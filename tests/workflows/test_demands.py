"""Demands: the api reads them in Python and the workflow in YAML, and both come to the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from planner.demands import missed, unmet
from schemas.plan import Demand, Need
from tests.workflows.berth import Berth

LIBRARY = Path(__file__).parents[2] / "workflows" / "lib"
WORKFLOWS = (
    "https://workflows.googleapis.com/v1/projects/berth-local/locations/europe-west1/workflows"
)
MAIN = """
main:
  params: [input]
  steps:
    - begin:
        assign:
          - found: []
    - each:
        for:
          value: case
          in: ${input}
          steps:
            - ask:
                call: not_as_needed
                args:
                  resource: ${case.need}
                  body: ${case.body}
                result: words
            - keep:
                assign:
                  - found: ${list.concat(found, words)}
    - done:
        return: ${found}
"""


def demand(*path: str, value: Any = None, among: tuple[str, ...] = ()) -> Demand:
    """Return a demand that says its path and what was found."""
    otherwise = f"{'.'.join(path)} is <found>, yes <found>"
    return Demand(path=path, value=value, among=among, otherwise=otherwise)


CASES: list[tuple[Demand, dict[str, Any], str | None]] = [
    (demand("a", value="x"), {"a": "x"}, None),
    (demand("a", value="x"), {"a": "y"}, "a is y, yes y"),
    (demand("a", value="x"), {}, "a is nothing, yes nothing"),
    (demand("a", value="x"), {"a": None}, "a is nothing, yes nothing"),
    (demand("a"), {"a": "whatever"}, None),
    (demand("a"), {"b": "whatever"}, "a is nothing, yes nothing"),
    (demand("a", "b", value=True), {"a": {"b": True}}, None),
    (demand("a", "b", value=True), {"a": {}}, "a.b is nothing, yes nothing"),
    (demand("a", value=3), {"a": 3}, None),
    (demand("a", value=["x"]), {"a": ["x"]}, None),
    (demand("a", value=[]), {"a": ["x", "y"]}, 'a is ["x","y"], yes ["x","y"]'),
    (demand("a", value=[]), {}, "a is nothing, yes nothing"),
    (demand("a", among=("x", "y")), {"a": "y"}, None),
    (demand("a", among=("x", "y")), {"a": "z"}, "a is z, yes z"),
    (demand("a", among=("x", "y")), {}, "a is nothing, yes nothing"),
]


@pytest.mark.parametrize(("wanted", "body", "words"), CASES)
def test_a_demand_is_met_or_says_what_is_there_instead(
    wanted: Demand, body: dict[str, Any], words: str | None
) -> None:
    """In the planner's words, wherever they speak of what was found."""
    assert unmet((wanted,), body) == words


def test_the_workflow_comes_to_the_same(berth: Berth) -> None:
    """Each case, run by the subworkflow that decides there."""
    library = "\n".join((LIBRARY / name).read_text() for name in ("look.yaml", "api.yaml"))
    source = {"sourceContents": f"{MAIN}\n{library}"}
    berth.ask("POST", f"{WORKFLOWS}?workflowId=demands", source)
    berth.clock.advance(60)
    cases = [{"need": {"demands": [one.document()]}, "body": body} for one, body, _ in CASES]
    url = WORKFLOWS.replace("workflows.google", "workflowexecutions.google")

    made = berth.ask("POST", f"{url}/demands/executions", {"argument": json.dumps(cases)})
    berth.clock.advance(60)
    found = berth.ask("GET", f"https://workflowexecutions.googleapis.com/v1/{made['name']}")

    assert found["state"] == "SUCCEEDED", found
    assert json.loads(found["result"]) == [words for *_, words in CASES]


def test_the_first_demand_that_is_not_met_is_told() -> None:
    """One thing at a time; what follows may be a consequence."""
    wanted = (demand("a", value="x"), demand("b", value="x"), demand("c", value="x"))

    assert unmet(wanted, {"a": "x", "b": "y", "c": "z"}) == "b is y, yes y"


@pytest.mark.parametrize(
    ("absent", "body", "words"),
    [
        ("make it", None, "make it"),
        (None, None, None),
        ("make it", {"a": "x"}, None),
        ("make it", {"a": "y"}, "a is y, yes y"),
        (None, {"a": "y"}, "a is y, yes y"),
    ],
)
def test_a_need_is_of_something_that_is_there_or_is_not(
    absent: str | None, body: dict[str, Any] | None, words: str | None
) -> None:
    """Without words for its absence it may be missing, and only must not be otherwise."""
    need = Need(
        name="thing",
        title="a thing",
        url="https://dns.googleapis.com/x",
        pointer="/x",
        absent=absent,
        demands=(demand("a", value="x"),),
    )

    assert missed(need, body) == words
