"""The filter language of subscriptions: what it lets through, and what it refuses."""

from __future__ import annotations

import pytest

from localcloud.errors import ApiError
from localcloud.services.pubsub.filters import compile_filter

GIVEN = {"team": "risk", "state": "READY", "ce-type": "berth", "a.b": "dot", "quote": 'a"b'}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "attributes:team",
        'attributes.team = "risk"',
        'attributes.team="risk"',
        'attributes.team != "other"',
        'attributes.absent != "x"',
        'attributes.ce-type = "berth"',
        'attributes."a.b" = "dot"',
        'attributes.quote = "a\\"b"',
        'hasPrefix(attributes.state, "REA")',
        'hasPrefix(attributes.state, "")',
        "NOT attributes:absent",
        "-attributes:absent",
        'NOT NOT attributes.team = "risk"',
        'attributes.team = "risk" AND attributes.state = "READY"',
        'attributes.team = "x" OR attributes.state = "READY"',
        'attributes:team AND (attributes.state = "FAILED" OR attributes.state = "READY")',
        "(attributes:team)",
        "NOT (attributes:absent OR attributes:gone)",
        'attributes.team = "ri\\x73k"',
    ],
)
def test_matches(text: str) -> None:
    """These let the message through."""
    assert compile_filter(text)(GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        "attributes:absent",
        'attributes.team = "Risk"',
        'attributes.team != "risk"',
        'attributes.absent = "x"',
        'hasPrefix(attributes.state, "EA")',
        'hasPrefix(attributes.absent, "")',
        "NOT attributes:team",
        'attributes.team = "risk" AND attributes.state = "FAILED"',
        'attributes.team = "x" OR attributes.state = "y"',
    ],
)
def test_keeps_out(text: str) -> None:
    """These do not."""
    assert not compile_filter(text)(GIVEN)


@pytest.mark.parametrize(
    "text",
    [
        "team",
        "attributes",
        "attributes.",
        "attributes:",
        "attributes.team",
        "attributes.team = risk",
        "attributes.team = 'risk'",
        'attributes.team == "risk"',
        'attributes.team > "risk"',
        'attributes.team = "risk',
        'attributes["team"] = "risk"',
        'data = "x"',
        'attributes.a = "1" AND',
        'AND attributes.a = "1"',
        'attributes.a = "1" attributes.b = "2"',
        'attributes.a = "1" and attributes.b = "2"',
        'attributes.a = "1" AND attributes.b = "2" OR attributes.c = "3"',
        '(attributes.a = "1"',
        'attributes.a = "1")',
        "hasPrefix(attributes.a)",
        'hasPrefix("a", "b")',
        'hasSuffix(attributes.a, "b")',
        "attributes:a; attributes:b",
        'attributes.a = "' + "x" * 256 + '"',
        'attributes.a = "\\xZZ"',
    ],
)
def test_refuses(text: str) -> None:
    """What is not in the language is INVALID_ARGUMENT, and says so."""
    with pytest.raises(ApiError) as refused:
        compile_filter(text)

    assert refused.value.status == "INVALID_ARGUMENT"
    assert "filter" in refused.value.message
