"""Expressions have the documented values, and nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.workflows.errors import DeployError
from localcloud.workflows.source.expressions import ExpressionError, parse

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

VALUES: list[tuple[str, Any]] = [
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("-7 // 2", -4),
    ("6 / 2 == 3", True),
    ("get_type(6 / 2)", "double"),
    ("- -1", 1),
    ("not true == false", True),
    ("NOT false AND true OR false", True),
    ("TRUE and True and true", True),
    ("1 == true", False),
    ("1 in [true, 1.0]", True),
    ("true in [1]", False),
    ('"a" in []', False),
    ("null == false", False),
    ("[1, [2, null]] == [1.0, [2, null]]", True),
    ('"tab\\t \\u00e9 \\"q\\" \\\\"', 'tab\t é "q" \\'),
    ('text.split("a-b", "-")[1]', "b"),
    ('if(1 < 2, "yes", "no")', "yes"),
    ("default(false, 1)", False),
    ("http.default_retry.max_retries", 5),
    ("1.5e3 + .5", 1500.5),
    ("[]", []),
    ("false and 1 / 0 == 1", False),
    # docs/reference/syntax/datatypes, table of implicit conversions for +
    ('"a" + 1', "a1"),
    ('1.5 + "a"', "1.5a"),
    ('"a" + true + "b"', "atrueb"),
    ('"n: " + 6 / 2', "n: 3"),
    # docs/reference/stdlib/expression-helpers: null counts as false
    ("if(null, 1, 2)", 2),
    ("-9223372036854775808", -(2**63)),
    ("9223372036854775807", 2**63 - 1),
    ("7 // -2", -4),
    ("-7.5 // 2", -4.0),
    ("7.5 % 2", 1.5),
    ("2--2", 4),
    ("1 - 2 - 3", -4),
    ("12 / 2 / 3", 2.0),
    ("1 < 2 == true", True),
    ('"\\ud83d\\ude00"', "\U0001f600"),
    ('"${1}" + "}"', "${1}}"),
    ("[[1, 2], [3]][0][1]", 2),
    ("(1 + 1) in [2.0]", True),
    ("not (1 in [2]) and not false", True),
    ('map.get(json.decode("{\\"in\\": {\\"not\\": 1}}"), "in").not', 1),
]
REFUSED = [
    "1 not in [1]",
    "'single quotes'",
    '{"a": 1}',
    "true And false",
    "1 +",
    "a.b",
    "nosuch(1)",
    "len()",
    "len(1, 2)",
    "main()",
    "9223372036854775808",
    "5 - 9223372036854775808",
    "math.round(1.5)",
    "math.pi",
    "[1, 2,]",
    "+1",
    "true ? 1 : 2",
    "1 && 2",
    "tRue",
    "1_000",
    "0x10",
    'http.get("https://x.example")',
    'googleapis.sqladmin.v1.instances.get("p", "i")',
    "text.split",
    "99999999999999999999",
    "v.key[special!key]",
    "",
    "1; 2",
    '"bad \\q escape"',
    "1abc",
]
FAILURES = [
    ("true and 1", "TypeError"),
    ("1 or true", "TypeError"),
    ("not 0", "TypeError"),
    ('"a" + null', "TypeError"),
    ('[1] + "a"', "TypeError"),
    ("1e308 * 10", "ValueError"),
    ("-1e308 - 1e308", "ValueError"),
    ("3037000500 * 3037000500", "ValueError"),
    ("--9223372036854775808", "ValueError"),
    ('"a" < "b"', "TypeError"),
    ("1 < 2 < 3", "TypeError"),
    ("-true", "TypeError"),
    ("true + 1", "TypeError"),
    ('"a" in "abc"', "TypeError"),
    ("[1][1]", "IndexError"),
    ("[1][-1]", "IndexError"),
    ("[1][0.0]", "TypeError"),
    ('"abc"[0]', "TypeError"),
    ("null.x", "TypeError"),
    ("1 % 0", "ZeroDivisionError"),
    ("1.0 // 0", "ZeroDivisionError"),
    ("9223372036854775807 + 1", "ValueError"),
    ("-7 % 2", "ValueError"),
    ("if(1, 2, 3)", "TypeError"),
    ('if("true", 2, 3)', "TypeError"),
    ("if(true, 1, 1 / 0)", "ZeroDivisionError"),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_value(bench: Bench, expression: str, value: Any) -> None:
    """An expression has the value the documentation gives it."""
    found = bench.value(expression)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("expression", REFUSED)
def test_refused(bench: Bench, expression: str) -> None:
    """What the language does not have is refused before anything runs."""
    with pytest.raises(DeployError):
        bench.value(expression)


@pytest.mark.parametrize(("expression", "tag"), FAILURES)
def test_failure(bench: Bench, expression: str, tag: str) -> None:
    """A wrong operand raises the documented error."""
    assert bench.tags(expression)[0] == tag


def test_the_place_of_a_mistake_is_known() -> None:
    """A parse error says where in the text it is."""
    with pytest.raises(ExpressionError) as caught:
        parse("1 + * 2")
    assert caught.value.offset == 4


def test_a_module_stays_reachable_behind_a_variable_of_its_name(bench: Bench) -> None:
    """A variable can be called list, map or text and the functions still be used."""
    source = """
        - a: {assign: [{list: [1]}, {map: {k: 2}}]}
        - b: {return: "${list.concat(list, map.k)}"}
    """
    assert bench.result(source) == [1, 2]


def test_the_other_side_is_not_looked_at_once_a_condition_is_decided(bench: Bench) -> None:
    """``and`` and ``or`` stop as soon as they know."""
    source = """
        main:
          steps:
            - a: {assign: [{n: "${false and asked()}"}, {m: "${true or asked()}"}]}
            - b: {return: ["${n}", "${m}"]}
        asked:
          steps:
            - no: {raise: "was asked"}
    """
    assert bench.result(source) == [False, True]
