"""Library functions have the documented results and refuse what they cannot do."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.workflows.errors import WorkflowError
from localcloud.workflows.stdlib import CONSTANTS, FUNCTIONS
from localcloud.workflows.stdlib.registry import Kind, function

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

M = 'json.decode("{\\"a\\": {\\"b\\": 1}, \\"c\\": 2}")'
VALUES: list[tuple[str, Any]] = [
    ('int("-12")', -12),
    ("int(-2.7)", -2),
    ('double("2.5e1")', 25.0),
    ("string(1.7)", "1.7"),
    ("string(6 / 2)", "3"),
    ("string(1635892223.4459958)", "1635892223.4459958"),
    ("string(1.5e20)", "150000000000000000000"),
    ("string(true)", "true"),
    ('len("héllo")', 5),
    (f"keys({M})", ["a", "c"]),
    ("get_type(retry.always)", "function"),
    (f'map.get({M}, ["a", "b"])', 1),
    (f'map.get({M}, ["a", "x", "y"])', None),
    (f'map.delete({M}, "a")', {"c": 2}),
    (f'map.merge({M}, json.decode("{{\\"c\\": 3}}"))', {"a": {"b": 1}, "c": 3}),
    (
        f'map.merge_nested({M}, json.decode("{{\\"a\\": {{\\"d\\": 4}}}}"))',
        {"a": {"b": 1, "d": 4}, "c": 2},
    ),
    ("list.prepend([1], [0])", [[0], 1]),
    (
        "[math.abs(-2), math.abs(2.5), math.floor(-1.5), math.max(1, 2.5), math.min(1, 2)]",
        [2, 2.5, -2, 2.5, 1],
    ),
    ('text.find_all("aaa", "aa")', [0]),
    ('text.find_all_regex("añb", "b")', [{"index": 2, "match": "b"}]),
    ('text.replace_all("a.a", ".", "-")', "a-a"),
    ('text.replace_all_regex("a1b22", "[0-9]+", "#")', "a#b#"),
    ('text.replace_all_regex("one", "(o)", "\\\\1$1")', "\\1$1ne"),
    ('text.replace_all_regex("añ", "", "-")', "-a-ñ-"),
    ('text.split("a,,b", ",")', ["a", "", "b"]),
    ('text.substring("hello", 1, 3)', "el"),
    ('text.to_lower("ÄB") + text.to_upper("äb")', "äbÄB"),
    ('text.url_encode("a/b c+é~")', "a%2Fb%20c%2B%C3%A9~"),
    ('text.url_encode_plus("a/b c+")', "a%2Fb+c%2B"),
    ('text.url_decode("a%2Fb+c%2B")', "a/b c+"),
    ('text.decode(text.encode("é", "ISO-8859-1"), "ISO-8859-1")', "é"),
    ('base64.encode(text.encode("a"), false)', "YQ"),
    ('text.decode(base64.decode("YQ", false))', "a"),
    (
        'base64.encode(hash.compute_hmac(text.encode("k"), text.encode("d"), "SHA256"))',
        "5+ohw7y2Ok2jrXhQMWjTa9ygvmIjgupgoQj61OSWZnk=",
    ),
    ('json.encode_to_string([1, "é", null])', '[1,"é",null]'),
    ("json.encode_to_string([1], true)", "[\n    1\n]"),
    (
        'json.encode_to_string([1], json.decode("{\\"prefix\\": \\">\\", \\"indent\\": \\" \\"}"))',
        "[\n> 1\n>]",
    ),
    ("time.format(0)", "1970-01-01T00:00:00.000000Z"),
    ('time.format(1720788633.5, "Europe/Paris")', "2024-07-12T14:50:33.500000+02:00"),
    ('time.parse("2024-01-10T17:15:54.615087+01:00")', 1704903354.615087),
]
FAILURES = [
    ('int("1.5")', "ValueError"),
    ("int(true)", "TypeError"),
    ('int("9223372036854775808")', "ValueError"),
    ('double("x")', "ValueError"),
    ("double(null)", "TypeError"),
    ("string(null)", "TypeError"),
    ("len(5)", "TypeError"),
    ("keys([1])", "TypeError"),
    ("map.get([], [1])", "TypeError"),
    ('map.delete([1], "a")', "TypeError"),
    ("map.merge([], [])", "TypeError"),
    ("list.concat(1, 2)", "TypeError"),
    ('math.max("a", 1)', "TypeError"),
    ("math.abs(true)", "TypeError"),
    ('text.find_all("a", "")', "ValueError"),
    ('text.match_regex("a", "(")', "ValueError"),
    ('text.match_regex(1, "a")', "TypeError"),
    ('text.match_regex("a", "(?=a)")', "ValueError"),
    ('text.substring("abc", 2, 9)', "ValueError"),
    ('text.url_decode("%zz")', "ValueError"),
    ('text.encode("é", "ascii")', "ValueError"),
    ('text.encode("a", "no-such")', "ValueError"),
    ('text.encode("a", "rot13")', "ValueError"),
    ('text.encode("a", "\\u0000")', "ValueError"),
    ("math.floor(1e300)", "ValueError"),
    ('json.decode("1e400")', "ValueError"),
    ('text.decode("a")', "TypeError"),
    ('base64.decode("*")', "ValueError"),
    ('base64.decode("YQ==", false)', "ValueError"),
    ("base64.encode(1)", "TypeError"),
    ('hash.compute_checksum("a", "SHA256")', "TypeError"),
    ('hash.compute_checksum(text.encode("a"), "CRC")', "ValueError"),
    ('json.decode("{")', "ValueError"),
    ("json.decode(1)", "TypeError"),
    ("json.encode(retry.always)", "ValueError"),
    ('time.parse("yesterday")', "ValueError"),
    ('time.parse("2024-13-01T00:00:00Z")', "ValueError"),
    ('time.format(0, "Mars/Base")', "ValueError"),
    ('time.format("now")', "TypeError"),
    ("sys.get_env(1)", "TypeError"),
    ('sys.get_env("A", 1)', "TypeError"),
    ('events.create_callback_endpoint("FETCH")', "ValueError"),
]


@pytest.mark.parametrize(("expression", "value"), VALUES)
def test_value(bench: Bench, expression: str, value: Any) -> None:
    """A function gives what its page says."""
    found = bench.value(expression)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("expression", "tag"), FAILURES)
def test_failure(bench: Bench, expression: str, tag: str) -> None:
    """A function refuses what its page does not allow."""
    assert bench.tags(expression) == [tag]


POOL: list[Any] = [
    None,
    True,
    -1,
    2.5,
    1e300,
    2**63 - 1,
    "",
    "é\x00",
    "[",
    "2024-01-01T00:00:00Z",
    b"\xff",
    [],
    ["a", 1],
    {"a": {2: None}},
    CONSTANTS["http.default_retry"],
    CONSTANTS["retry.always"],
]


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.kind is Kind.PURE])
def test_whatever_is_given(name: str) -> None:
    """Every combination of arguments has a result or one of the documented errors."""
    known = FUNCTIONS[name]
    for number in range(known.required, len(known.parameters) + 1):
        for arguments in product(POOL, repeat=number):
            try:
                known.implementation(*arguments)
            except WorkflowError as error:
                assert error.value["tags"][0] in ("TypeError", "ValueError")  # noqa: PT017 - or none


@pytest.mark.parametrize(
    ("arguments", "entry"),
    [
        ("data: {k: 1}, severity: ERROR", {"severity": "ERROR", "jsonPayload": {"k": 1}}),
        ("data: [1]", {"severity": "DEFAULT", "textPayload": "[1]"}),
        ("text: hi", {"severity": "DEFAULT", "textPayload": "hi"}),
        ("text: {k: 1}", {"severity": "DEFAULT", "textPayload": '{"k":1}'}),
        ("json: {}", {"severity": "DEFAULT", "jsonPayload": {}}),
    ],
)
def test_log(bench: Bench, arguments: str, entry: dict[str, Any]) -> None:
    """A map becomes a JSON payload, everything else a text."""
    bench.result(f"- a: {{call: sys.log, args: {{{arguments}}}}}")
    assert bench.logs == [entry]


@pytest.mark.parametrize(
    ("arguments", "tag"),
    [
        ("severity: INFO", "TypeError"),
        ("data: 1, text: a", "TypeError"),
        ("text: '${text.encode(\"a\")}'", "TypeError"),
        ("json: [1]", "TypeError"),
        ("data: 1, severity: LOUD", "ValueError"),
    ],
)
def test_log_refuses(bench: Bench, arguments: str, tag: str) -> None:
    """Exactly one payload, of the right type, with a severity that exists."""
    assert bench.error(f"- a: {{call: sys.log, args: {{{arguments}}}}}")["tags"] == [tag]
    assert bench.logs == []


def test_sleeping_until_a_time(bench: Bench) -> None:
    """A time that is over is no wait, one more than a year ahead is refused."""
    now = bench.clock.now()
    source = """
        - a: {assign: [{t: "${time.format(sys.now() + 90)}"}]}
        - b: {call: sys.sleep_until, args: {time: "${t}"}}
        - c: {call: sys.sleep_until, args: {time: "${t}"}}
    """
    assert bench.run(source).sleeps == [90]
    assert bench.clock.now() == now + 90
    late = '- a: {call: sys.sleep_until, args: {time: "2099-01-01T00:00:00Z"}}'
    assert bench.error(late)["tags"] == ["ValueError"]


def test_no_name_is_defined_twice() -> None:
    """The table of functions has one entry for each."""
    with pytest.raises(ValueError, match="defined twice"):
        function("map.get", "map")(lambda _map: None)
    assert FUNCTIONS["map.get"].parameters == ("map", "keys")
