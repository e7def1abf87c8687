"""Steps do what the documentation says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

PROGRAMS: dict[str, tuple[str, Any]] = {
    "scalars are those of the language": (
        """
        - a: {assign: [{x: [yes, 012, 12:30, 2020-01-01, 0x1F, 1_0, ~, TRUE, 1e3, .5]}]}
        - b: {return: "${x}"}
        """,
        ["yes", "012", "12:30", "2020-01-01", "0x1F", "1_0", None, True, 1000.0, 0.5],
    ),
    "keys may be computed": (
        """
        - a: {assign: [{k: x}]}
        - b: {return: {"${k}": {"${k + k}": ["${k}"]}, 1: one}}
        """,
        {"x": {"xx": ["x"]}, 1: "one"},
    ),
    "a path is made key by key": (
        """
        - a: {assign: [{m: {}}, {m.a: {}}, {'m.a["b c"]': [0]}, {'m["a"]["b c"][0]': 5}]}
        - b: {return: "${m}"}
        """,
        {"a": {"b c": [5]}},
    ),
    "a loop sees the list as it was": (
        """
        - a: {assign: [{l: [1, 2]}, {n: 0}]}
        - b:
            for:
              value: v
              index: i
              in: ${l}
              steps:
                - grow: {assign: [{l: "${list.concat(l, v)}"}, {n: "${n + v * 10 + i}"}]}
        - c: {return: ["${n}", "${len(l)}"]}
        """,
        [31, 4],
    ),
    "nor does it see its elements change": (
        """
        - a: {assign: [{l: [1, 2]}, {n: 0}]}
        - b: {for: {value: v, in: "${l}", steps: [{c: {assign: [{"l[1]": 50}, {n: "${n + v}"}]}}]}}
        - d: {return: "${n}"}
        """,
        3,
    ),
    "only texts and integers are keys": (
        """
        - a: {assign: [{m: {1: one}}, {t: true}]}
        - b: {return: ["${t in m}", "${[1] in m}", "${1 in m}", "${\\"1\\" in m}"]}
        """,
        [False, False, True, False],
    ),
    "an empty list is no iteration": (
        """
        - a: {assign: [{n: 0}]}
        - b: {for: {value: v, in: [], steps: [{c: {assign: [{n: 1}]}}]}}
        - d: {return: "${n}"}
        """,
        0,
    ),
    "a range may be computed": (
        """
        - a: {assign: [{n: 0}, {last: 3}]}
        - b: {for: {value: v, range: [1, "${last}"], steps: [{c: {assign: [{n: "${n + v}"}]}}]}}
        - d: {for: {value: v, range: "${[last, last + 1]}", steps: [{c: {assign: [{n: "${n + v}"}]}}]}}
        - e: {return: "${n}"}
        """,
        13,
    ),
    "break out of nested steps": (
        """
        - a: {assign: [{n: 0}]}
        - b:
            for:
              value: v
              in: [1, 2, 3]
              steps:
                - c:
                    try:
                      steps:
                        - d: {switch: [{condition: "${v == 2}", steps: [{e: {next: break}}]}]}
                    except: {steps: [{f: {raise: never}}]}
                - g: {assign: [{n: "${n + v}"}]}
        - h: {return: "${n}"}
        """,
        1,
    ),
    "jump out of a loop": (
        """
        - a: {for: {value: v, in: [1, 2], steps: [{b: {switch: [{condition: "${v == 2}", next: d}]}}]}}
        - c: {return: fell}
        - d: {return: jumped}
        """,
        "jumped",
    ),
    "a loop variable begins anew": (
        """
        - a: {assign: [{seen: []}]}
        - b:
            for:
              value: v
              in: [1, 2]
              steps:
                - c: {assign: [{seen: "${list.concat(seen, old)}"}]}
                - d: {assign: [{old: "${v}"}]}
        - f: {return: "${seen}"}
        """,
        [None, None],
    ),
    "switch in switch": (
        """
        - a:
            switch:
              - condition: ${1 == 1}
                switch:
                  - condition: ${1 == 2}
                    return: no
                  - condition: true
                    call: text.to_upper
                    args: {source: inner}
                    result: r
                next: c
        - b: {return: no}
        - c: {return: "${r}"}
        """,
        "INNER",
    ),
    "end ends only the subworkflow": (
        """
        main:
          steps:
            - a: {call: sub, result: x}
            - b: {return: ["${x}", after]}
        sub:
          steps:
            - c: {assign: [{y: 1}], next: end}
            - d: {return: never}
        """,
        [None, "after"],
    ),
    "arguments are copies": (
        """
        main:
          steps:
            - a: {assign: [{m: {k: 1}}]}
            - b: {call: sub, args: {m: "${m}"}, result: changed}
            - c: {return: ["${m.k}", "${changed.k}"]}
        sub:
          params: [m]
          steps:
            - d: {assign: [{m.k: 2}]}
            - e: {return: "${m}"}
        """,
        [1, 2],
    ),
    "a subworkflow that waits may stand in an expression": (
        """
        main:
          steps:
            - a: {return: "${[slow(1) + slow(2), if(slow(3) == 30, 1, 2)]}"}
        slow:
          params: [n, factor: 10]
          steps:
            - b: {call: sys.sleep, args: {seconds: 5}}
            - c: {return: "${n * factor}"}
        """,
        [30, 1],
    ),
    "return null is a return": (
        """
        - a: {switch: [{condition: true, return: null}]}
        - b: {return: not here}
        """,
        None,
    ),
    "an except variable hides the one around it": (
        """
        - a:
            try: {raise: one}
            except:
              as: e
              steps:
                - b:
                    try: {raise: two}
                    except: {as: e, steps: [{c: {assign: [{x: "${e}"}]}}]}
                - d: {return: "${e}"}
        """,
        "one",
    ),
    "a branch may be a single step": (
        """
        - a: {assign: [{x: 0}, {y: 0}]}
        - b:
            parallel:
              shared: [x, y]
              branches:
                - one: {call: text.to_upper, args: {source: a}, result: x}
                - two: {assign: [{y: 2}]}
        - c: {return: ["${x}", "${y}"]}
        """,
        ["A", 2],
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(bench: Bench, name: str) -> None:
    """A program has the result its name promises."""
    source, result = PROGRAMS[name]
    assert bench.result(source) == result


def test_reading_a_variable_that_was_never_set(bench: Bench) -> None:
    """A name that some path assigns is null on another, as Google's tutorial of callbacks has it."""
    source = """
        - a: {switch: [{condition: "${1 == 2}", assign: [{x: 1}]}]}
        - b: {return: "${x == null}"}
    """
    assert bench.result(source) is True


@pytest.mark.parametrize(
    ("step", "tag"),
    [
        ("{for: {value: v, in: '${m}', steps: [{b: {assign: [{x: 1}]}}]}}", "TypeError"),
        ("{for: {value: v, range: '${[3, 1]}', steps: [{b: {assign: [{x: 1}]}}]}}", "ValueError"),
        ("{for: {value: v, range: '${[1, null]}', steps: [{b: {assign: [{x: 1}]}}]}}", "TypeError"),
        ("{for: {value: v, range: '${[1]}', steps: [{b: {assign: [{x: 1}]}}]}}", "ValueError"),
        ("{assign: [{'l[2]': 1}]}", "IndexError"),
        ("{assign: [{'m.a.b': 1}]}", "KeyError"),
        ("{assign: [{'l.a': 1}]}", "TypeError"),
        ("{switch: [{condition: '${len(l)}', next: end}]}", "TypeError"),
        ("{raise: '${len(l)}'}", "TypeError"),
        ("{return: {'${l}': 1}}", "TypeError"),
        ("{return: '${text.encode(\"bytes have no JSON\")}'}", "ValueError"),
        ("{call: sys.sleep, args: {seconds: -1}}", "ValueError"),
        ("{call: sys.sleep, args: {seconds: soon}}", "TypeError"),
    ],
)
def test_step_fails(bench: Bench, step: str, tag: str) -> None:
    """A step that cannot be done raises an error that says why."""
    source = f"- init: {{assign: [{{m: {{}}}}, {{l: [1, 2]}}]}}\n- a: {step}"
    assert bench.error(source)["tags"][0] == tag
