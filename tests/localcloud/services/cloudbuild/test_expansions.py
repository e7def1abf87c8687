"""Dynamic substitutions are expanded as bash expands them."""

from __future__ import annotations

import pytest

from localcloud.errors import ApiError
from localcloud.services.cloudbuild import expansions, substitutions


@pytest.mark.parametrize(
    ("value", "how", "expanded"),
    [
        ("abc", "", "abc"),
        ("aBc", "^^", "ABC"),
        ("ABC", ",,", "abc"),
        ("abc", "^", "Abc"),
        ("ABC", ",", "aBC"),
        ("abcdef", ":2", "cdef"),
        ("abcdef", ":0:3", "abc"),
        ("abcdef", ": -2", "ef"),
        ("abcdef", ":1:-1", "bcde"),
        ("", ":-other", "other"),
        ("one", ":-other", "one"),
        ("one", ":+other", "other"),
        ("", ":+other", ""),
        ("v1.2", "#v", "1.2"),
        ("a.b.c", "#*.", "b.c"),
        ("a.b.c", "##*.", "c"),
        ("a.b.c", "%.*", "a.b"),
        ("a.b.c", "%%.*", "a"),
        ("a/b/c", "/\\//-", "a-b/c"),
        ("a/b/c", "//\\//-", "a-b-c"),
        ("aab", "/#a/x", "xab"),
        ("baa", "/%a/x", "bax"),
        ("abc", "/b", "ac"),
        ("abc", "#x", "abc"),
    ],
)
def test_forms(value: str, how: str, expanded: str) -> None:
    """Each form gives what bash gives."""
    assert expansions.apply(value, how) == expanded


@pytest.mark.parametrize("how", ["@Q", "!", "#", "%", "/", "[0]", "=x"])
def test_what_is_no_form_is_refused(how: str) -> None:
    """A form nobody documents is an error that shows it."""
    with pytest.raises(ApiError, match="cannot expand"):
        expansions.apply("x", how)


def test_values_may_be_made_of_others() -> None:
    """A substitution in a substitution's value is put in first; ``$$`` stays one dollar."""
    build = {
        "steps": [{"name": "x", "args": ["${_IMAGE^^}", "$$HOME"]}],
        "substitutions": {"_IMAGE": "${_HOST}/$PROJECT_ID", "_HOST": "h"},
        "options": {"dynamicSubstitutions": True},
    }

    made = substitutions.put_in(build, {"PROJECT_ID": "p"})

    assert made["steps"][0]["args"] == ["H/P", "$HOME"]
