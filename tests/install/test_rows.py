"""Comparing what is there with what is wanted."""

from typing import Any

import pytest

from install.rows import differences, shows


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"a": 1, "added": "by the API"}, {"a": 1}),
        ({"a": {"b": [1, 2], "c": 3}}, {"a": {"b": [1, 2]}}),
        ({}, {"off": False, "none": 0, "empty": "", "nothing": []}),
        ({"list": [{"a": 1, "b": 2}]}, {"list": [{"a": 1}]}),
    ],
)
def test_what_an_api_adds_is_no_difference(found: Any, wanted: Any) -> None:
    """Only what is wanted is compared; APIs fill in defaults and leave out what is false."""
    assert shows(found, wanted)


@pytest.mark.parametrize(
    ("found", "wanted", "place"),
    [
        ({"a": 1}, {"a": 2}, "a is 1, not 2"),
        ({}, {"a": {"b": True}}, "a is None"),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b is 1, not 2"),
        ({"a": [1, 2]}, {"a": [1]}, "a is [1, 2], not [1]"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "a[0].b is 1, not 2"),
        ({"a": False}, {"a": True}, "a is False, not True"),
    ],
)
def test_a_difference_is_named_by_its_place(found: Any, wanted: Any, place: str) -> None:
    """Whoever has to change something must be told what."""
    [line] = differences(found, wanted)

    assert place in line
