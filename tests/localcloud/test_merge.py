"""The two ways a PATCH changes a resource: by mask, and as a JSON merge patch."""

from typing import Any

import pytest

from localcloud.merge import merged, patched


@pytest.mark.parametrize(
    ("current", "patch", "after"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c", "d": "e"}}, {"a": {"b": "f", "d": None}}, {"a": {"b": "f"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_merge_patch_is_that_of_rfc_7396(
    current: dict[str, Any], patch: dict[str, Any], after: dict[str, Any]
) -> None:
    """Objects merge field by field, null removes, all else replaces: cases of its appendix."""
    assert patched(current, patch) == after


def test_a_merge_shares_nothing_with_what_it_was_made_of() -> None:
    """What is stored must not change when somebody changes what he sent or had."""
    current: dict[str, Any] = {"kept": {"a": [1]}}
    sent: dict[str, Any] = {"new": {"b": [2]}}

    for after in (patched(current, sent), merged(current, sent)):
        after["kept"]["a"].append(0)
        after["new"]["b"].append(0)

    assert (current, sent) == ({"kept": {"a": [1]}}, {"new": {"b": [2]}})


def test_a_mask_takes_only_its_paths_and_clears_what_was_not_sent() -> None:
    """As an update mask says in all of Google's APIs."""
    current = {"a": {"b": 1, "c": 2}, "d": 3, "e": 4}

    assert merged(current, {"a": {"b": 5}, "e": 6}, ["a.b", "d"]) == {
        "a": {"b": 5, "c": 2},
        "e": 4,
    }
