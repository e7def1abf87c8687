"""A source outside the language is refused when it is deployed, and the message says where."""

from __future__ import annotations

import textwrap

import pytest

from localcloud.workflows.code.compiler import compile_source
from localcloud.workflows.errors import DeployError

REFUSED = {
    "empty": ("", "source is empty"),
    "not a workflow": ("just text", "list of steps or a map"),
    "no main": ("sub: {steps: [{a: {return: 1}}]}", "'main' workflow is not defined"),
    "no steps": ("main: {params: [a]}", "has no 'steps'"),
    "two main parameters": (
        "main: {params: [a, b], steps: [{a: {return: 1}}]}",
        "at most 1",
    ),
    "eleven parameters": (
        (
            "main: {steps: [{a: {return: 1}}]}\n"
            "s: {params: [a, b, c, d, e, f, g, h, i, j, k], steps: [{a: {return: 1}}]}"
        ),
        "at most 10",
    ),
    "duplicate key": ("- a: {return: 1, return: 2}", "duplicate key 'return'"),
    "duplicate step": ("- a: {return: 1}\n- a: {return: 2}", "duplicate step name 'a'"),
    "unknown key": ("- a: {retrun: 1}", "'retrun'"),
    "two kinds": ("- a: {return: 1, assign: [{x: 1}]}", "both"),
    "unknown step after return": ("- a: {return: 1, next: nowhere}", "'nowhere' is not defined"),
    "next after raise": ("- a: {raise: x, next: end}", "unexpected key 'next'"),
    "unknown step": ("- a: {assign: [{x: 1}], next: nowhere}", "'nowhere' is not defined"),
    "step in another list": (
        "- a: {steps: [{inner: {assign: [{x: 1}]}}]}\n- b: {next: inner}",
        "'inner' is not defined",
    ),
    "break outside a loop": ("- a: {next: break}", "not inside"),
    "reserved name": ("- end: {return: 1}", "cannot be the name"),
    "no condition": ("- a: {switch: [{next: end}]}", "needs a 'condition'"),
    "text as condition": ('- a: {switch: [{condition: "true", next: end}]}', "must be an expr"),
    "in and range": (
        "- a: {for: {value: v, in: [1], range: [1, 2], steps: [{b: {return: 1}}]}}",
        "either 'in' or 'range'",
    ),
    "range of texts": (
        "- a: {for: {value: v, range: [one, 2], steps: [{b: {next: continue}}]}}",
        "must be numbers",
    ),
    "loop right in a try": (
        """
        - a:
            try: {for: {value: v, in: [1], steps: [{b: {next: continue}}]}}
            except: {steps: [{c: {return: 1}}]}
        """,
        "loop step name should not be empty",
    ),
    "nested beyond all measure": (
        "- a: {return: " + "[" * 5000 + "]" * 5000 + "}",
        "nested too deeply",
    ),
    "a merge of what is no map": (
        "- a: {return: {<<: 5}}",
        "'<<' merges a map or a list of maps",
    ),
    "range backwards": (
        "- a: {for: {value: v, range: [2, 1], steps: [{b: {next: continue}}]}}",
        "ends before it begins",
    ),
    "nested loops, one variable": (
        (
            "- a: {for: {value: v, in: [1], steps: [{b: {for: {value: v, in: [1], "
            "steps: [{c: {next: continue}}]}}}]}}"
        ),
        "already that of a loop",
    ),
    "one branch": (
        "- a: {parallel: {branches: [{b: {steps: [{c: {assign: [{x: 1}]}}]}}]}}",
        "2 to",
    ),
    "policy": (
        (
            "- a: {parallel: {exception_policy: unhandled, for: {value: v, in: [1], "
            "steps: [{c: {assign: [{x: 1}]}}]}}}"
        ),
        "continueAll",
    ),
    "unknown shared": (
        "- a: {parallel: {shared: [x], for: {value: v, in: [1], steps: [{c: {assign: [{x: 1}]}}]}}}",
        "shared variable 'x' is not defined",
    ),
    "assignment to what is not shared": (
        (
            "- i: {assign: [{x: 1}]}\n"
            "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {assign: [{x: 2}]}}]}}}"
        ),
        "not listed in 'shared'",
    ),
    "result into what is not shared": (
        (
            "- i: {assign: [{x: 1}]}\n"
            "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {call: text.to_upper, "
            "args: {source: a}, result: x}}]}}}"
        ),
        "not listed in 'shared'",
    ),
    "element of what is not shared": (
        (
            "- i: {assign: [{x: {}}]}\n"
            "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {assign: [{x.k: 2}]}}]}}}"
        ),
        "not listed in 'shared'",
    ),
    "shared by the inner step only": (
        (
            "- i: {assign: [{x: 1}]}\n"
            "- a: {parallel: {for: {value: v, in: [1], steps: [{b: {parallel: {shared: [x], "
            "for: {value: w, in: [1], steps: [{c: {assign: [{x: 2}]}}]}}}}]}}}"
        ),
        "not listed in 'shared'",
    ),
    "variable of another branch": (
        "- a: {parallel: {branches: [{b: {assign: [{x: 1}]}}, {c: {assign: [{y: '${x}'}]}}]}}",
        "symbol 'x'",
    ),
    "variable of a branch afterwards": (
        (
            "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {assign: [{x: 2}]}}]}}}\n"
            "- d: {return: '${x}'}"
        ),
        "symbol 'x'",
    ),
    "return out of a branch": (
        "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {return: 1}}]}}}",
        "cannot leave a branch",
    ),
    "end out of a branch": (
        "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {next: end}}]}}}",
        "cannot leave a branch",
    ),
    "break out of an iteration": (
        "- a: {parallel: {for: {value: v, in: [1], steps: [{c: {next: break}}]}}}",
        "cannot leave a branch",
    ),
    "try alone": ("- a: {try: {raise: x}}", "'retry' or 'except'"),
    "half a policy": ("- a: {try: {raise: x}, retry: {max_retries: 1}}", "needs 'backoff'"),
    "raise a number": ("- a: {raise: 5}", "string or a map"),
    "unknown function": ("- a: {call: text.shout, args: {source: a}}", "text.shout"),
    "unknown argument": ("- a: {call: sys.sleep, args: {minutes: 1}}", "'minutes'"),
    "missing argument": ("- a: {call: sys.sleep}", "'seconds'"),
    "no connector": ("- a: {call: googleapis.iam.v1.projects.list}", "no connector for 'iam'"),
    "unknown method": ("- a: {call: googleapis.sqladmin.v1.instances.fly}", "methods here are"),
    "connector argument": (
        "- a: {call: googleapis.sqladmin.v1.instances.get, args: {project: p, instance: i, x: 1}}",
        "'x'",
    ),
    "missing parameter": (
        "main: {steps: [{a: {call: s}}]}\ns: {params: [n], steps: [{b: {return: 1}}]}",
        "'n' of subworkflow 's' is missing",
    ),
    "expression as function": ('- a: {call: "${f}"}', "name of a function"),
    "assign to nothing": ("- a: {assign: [{m.k: 1}]}", "symbol 'm'"),
    "assign to a number": ("- a: {assign: [{1st: 1}]}", "invalid assignment target"),
    "assign to a word": ("- a: {assign: [{and: 1}]}", "cannot be assigned"),
    "tabs": ("- a:\n\treturn: 1", "invalid YAML"),
    "two documents": ("- a: {return: 1}\n---\n- a: {return: 2}", "more than one document"),
    "big integer": ("- a: {return: 99999999999999999999}", "does not fit 64 bits"),
    "self-containing alias": ("- a: {return: &x [*x]}", "itself"),
    "strange tag": ("- a: {return: !!binary aGk=}", "not supported"),
    "variable of a loop outside": (
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}]}}]}}\n- c: {return: '${v}'}",
        "symbol 'v' is neither a variable nor a sub-workflow name",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """The mistake is named."""
    source, part = REFUSED[name]
    with pytest.raises(DeployError) as caught:
        compile_source(source)
    assert part in str(caught.value)
    assert str(caught.value).startswith("failed to build: ")


def test_step_and_place_are_in_the_error() -> None:
    """The message has Google's words, and the position leads to the symbol."""
    source = textwrap.dedent("""
        - step1:
            assign:
              - varA: 1
        - step2:
            return: ${varC + varA}
    """)
    with pytest.raises(DeployError) as caught:
        compile_source(source)
    assert str(caught.value) == (
        "failed to build: error in step step2: error evaluating return value: "
        "symbol 'varC' is neither a variable nor a sub-workflow name"
    )
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (6, 15)
    assert caught.value.position.length == len("varC")


PLACES = {
    "in single quotes": ("- a:\n    return: '${1 + nope}'\n", (2, 20)),
    "in double quotes with escapes": ('- a:\n    return: "${\\"nope\\" + nope}"\n', (2, 27)),
    "on another line": ("- a:\n    return: |\n      ${1 +\n        nope}\n", (4, 9)),
    "where the text stops": ("- a:\n    return: >-\n      ${1 +\n        (2}\n", (4, 11)),
    "where a token is wrong": ("- a:\n    return: '${x y}'\n", (2, 18)),
    "a name inside a target": ("- a:\n    assign:\n      - l: [1]\n      - l[nope]: 5\n", (4, 11)),
    "inside a target": ("- a:\n    assign:\n      - x[1+]: 5\n", (3, 13)),
    "a function that is called wrongly": ("- a:\n    return: ${1 + len(1, 2)}\n", (2, 19)),
    "a function that nobody knows": ("- a:\n    call: text.nope\n", (2, 11)),
    "a step that nobody knows": ("- a:\n    next: nowhere\n", (2, 11)),
    "behind a byte order mark": ("\ufeff- a:\n    return: ${nope}\n", (2, 15)),
}


@pytest.mark.parametrize("name", PLACES)
def test_the_place_of_a_mistake(name: str) -> None:
    """The position is that of the mistake, not that of the step it is in."""
    source, place = PLACES[name]
    with pytest.raises(DeployError) as caught:
        compile_source(source)
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == place


def test_fifty_are_enough() -> None:
    """Assignments and conditions have a limit."""
    many = "".join(f"\n      - v{n}: 1" for n in range(51))
    with pytest.raises(DeployError, match="at most 50"):
        compile_source(f"- a:\n    assign:{many}")
    many = "".join("\n      - {condition: true, next: end}" for _ in range(51))
    with pytest.raises(DeployError, match="at most 50"):
        compile_source(f"- a:\n    switch:{many}")


def test_a_source_has_at_most_128_kilobytes() -> None:
    """A larger one is refused whatever is in it."""
    with pytest.raises(DeployError, match="larger"):
        compile_source("# " + "x" * 128 * 1024 + "\n- a: {return: 1}")


def test_json_with_tabs_is_json() -> None:
    """Any JSON is a source, also where YAML would object."""
    assert "main" in compile_source('{\n\t"main": {"steps": [{"a": {"return": 1}}]}}').routines
    with pytest.raises(DeployError, match="duplicate key"):
        compile_source('{\n\t"main": {}, "main": {}}')
