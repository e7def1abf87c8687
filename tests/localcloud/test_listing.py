"""The filter language of lists, and the merging of patches."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.errors import ApiError
from localcloud.listing import filtered
from localcloud.merge import merged

ITEMS: list[dict[str, Any]] = [
    {"name": "projects/p/secrets/alpha", "labels": {"team": "red", "a.b": "dot"}, "size": 5},
    {"name": "projects/p/secrets/beta", "labels": {"team": "blue"}, "size": 50, "on": True},
    {"name": "projects/p/secrets/gamma", "severity": "ERROR", "createTime": "2026-11-20T08:00:00Z"},
]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("", "alpha beta gamma"),
        ("labels.team=red", "alpha"),
        ('labels.team = "red"', "alpha"),
        ("labels.team!=red", "beta gamma"),
        ("labels:team", "alpha beta"),
        ("labels.team:*", "alpha beta"),
        ('labels."a.b"=dot', "alpha"),
        ("name:BET", "beta"),
        ("labels.team=red OR labels.team=blue", "alpha beta"),
        ("labels.team=red AND size=5", "alpha"),
        ("labels.team=red size=6", ""),
        ("NOT labels.team=red", "beta gamma"),
        ("-labels.team=red", "beta gamma"),
        ("(labels.team=red OR labels.team=blue) AND size>10", "beta"),
        ("size>=5", "alpha beta"),
        ("size<50", "alpha"),
        ("on=true", "beta"),
        ('create_time>"2026-11-01"', "gamma"),
        ('name=~"a$"', "alpha beta gamma"),
        ('name!~"alp"', "beta gamma"),
        ("blue", "beta"),
        ("labels", ""),
        # OR binds closer than AND, and than nothing at all
        ("size=5 AND labels.team=red OR labels.team=blue", "alpha"),
        ("size=50 labels.team=red OR labels.team=blue", "beta"),
        ("labels.team=(red OR blue) AND size>=(5 AND 10)", "beta"),
        ("labels.team=(NOT red)", "beta gamma"),
        ("size=5 -- and a remark", "alpha"),
        ("severity>=WARNING", "gamma"),
    ],
)
def test_filter_keeps(expression: str, names: str) -> None:
    """Each operator keeps what it should and nothing else."""
    order = {"severity": ("DEFAULT", "WARNING", "ERROR")}

    kept = [item["name"].rpartition("/")[2] for item in filtered(ITEMS, expression, order=order)]

    assert kept == names.split()


@pytest.mark.parametrize(
    "expression",
    [
        "a =",
        "(a=b",
        "a=b)",
        "= b",
        "a=b OR",
        "AND",
        "severity>=LOUD",
        'a="b',
        'a=~"("',
        "a=(b",
        "a=()",
    ],
)
def test_broken_filter_is_400(expression: str) -> None:
    """An expression outside the language is refused, not ignored."""
    with pytest.raises(ApiError, match="Invalid filter") as caught:
        filtered(ITEMS, expression, order={"severity": ("DEFAULT", "ERROR")})

    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("sent", "mask", "result"),
    [
        ({"a": 2}, ["a"], {"a": 2, "m": {"x": 1, "y": 2}}),
        ({}, ["a"], {"m": {"x": 1, "y": 2}}),
        ({"m": {"x": 9}}, ["m.x"], {"a": 1, "m": {"x": 9, "y": 2}}),
        ({"m": {"x": 9}}, ["m"], {"a": 1, "m": {"x": 9}}),
        ({"m": {}}, ["m.x"], {"a": 1, "m": {"y": 2}}),
        ({"a": 5}, [], {"a": 5, "m": {"x": 1, "y": 2}}),
        ({"b": 5}, ["*"], {"a": 1, "b": 5, "m": {"x": 1, "y": 2}}),
        ({"n": {"deep": 1}}, ["n.deep"], {"a": 1, "m": {"x": 1, "y": 2}, "n": {"deep": 1}}),
    ],
)
def test_patch_changes_only_its_mask(
    sent: dict[str, Any], mask: list[str], result: dict[str, Any]
) -> None:
    """A path that is in the mask and was not sent is cleared."""
    current = {"a": 1, "m": {"x": 1, "y": 2}}

    assert merged(current, sent, mask) == result
    assert current == {"a": 1, "m": {"x": 1, "y": 2}}
