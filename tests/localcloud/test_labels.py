"""Labels are what Google's page on them says, wherever they are sent."""

import pytest

from localcloud import labels


@pytest.mark.parametrize("key", ["a", "team-red_2", "équipe", "队", "a" * 63, "é" * 63])
def test_a_key_begins_with_a_letter_of_any_script(key: str) -> None:
    """Digits, dashes and underscores may follow, up to 63 characters."""
    assert labels.is_key(key)


@pytest.mark.parametrize(
    "key", ["", "1a", "-a", "_a", "Team", "Équipe", "a.b", "a/b", "a b", "a÷", "a" * 64, "队" * 43]
)
def test_what_is_no_key(key: str) -> None:
    """Capitals, other signs, nothing at all, too many characters, or too many bytes of them."""
    assert not labels.is_key(key)


@pytest.mark.parametrize("value", ["", "1", "-", "_", "red", "٣"])
def test_a_value_may_begin_with_anything_and_be_empty(value: str) -> None:
    """What may follow in a key may be all of a value."""
    assert labels.is_value(value)


def test_the_first_unfit_label_is_named() -> None:
    """So that a refusal can quote it."""
    assert labels.unfit({"a": "b", "c": "D", "E": "f"}) == ("c", "D")
    assert labels.unfit({"a": "", "b": "1"}) is None
