"""Problem: how a validation error becomes an answer."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from schemas.deployment import DeploymentRequest
from schemas.model import Model
from schemas.problem import (
    FEW,
    IN_WORDS,
    FieldError,
    Problem,
    from_validation_error,
    invalid,
    pointer,
)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((), ""),
        (("size",), "/size"),
        (("access", "members", 0), "/access/members/0"),
        (("a/b", "c~d"), "/a~1b/c~0d"),
        (("",), "/"),
    ],
)
def test_a_pointer_is_escaped_as_rfc_6901_says(parts: tuple[str | int, ...], found: str) -> None:
    """A slash in a key does not lead astray."""
    assert pointer(*parts) == found


def patterns(schema: Any) -> Iterator[str]:
    """Yield every pattern of a JSON schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from patterns(inner)


def test_every_pattern_of_a_request_is_said_in_words() -> None:
    """Nobody who mistypes a value is answered with a regular expression."""
    assert set(patterns(DeploymentRequest.model_json_schema())) <= IN_WORDS.keys()


def test_one_error_is_told_in_the_detail() -> None:
    """Nobody has to look further for a single mistake."""
    problem = invalid((FieldError(pointer="/size", message="size is odd"),))
    assert problem.detail == "size is odd"


def test_many_errors_are_counted_in_the_detail() -> None:
    """The detail leads to the list."""
    errors = tuple(FieldError(pointer=f"/{n}", message=f"{n} is odd") for n in "abc")
    assert invalid(errors).detail == "The request is wrong in 3 ways; see errors."


def test_two_places_of_one_contradiction_are_one_mistake() -> None:
    """The same message twice is told once."""
    errors = tuple(FieldError(pointer=f"/{n}", message="a and b") for n in "ab")
    assert invalid(errors).detail == "a and b"


def test_json_that_is_none_is_said_to_be_none() -> None:
    """The parser's words come through."""
    with pytest.raises(ValidationError) as caught:
        Problem.model_validate_json("{")
    (error,) = from_validation_error(caught.value, Problem).errors
    assert error.pointer == ""
    assert error.message.startswith("the body is not JSON: ")


class Many(Model):
    """A choice among more values than anybody wants to read."""

    letter: Literal["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"] = Field(
        description="A letter.", examples=["a"]
    )


class Outer(Model):
    """A list of models, one deep."""

    inner: tuple[Many, ...] = Field(description="Letters.", examples=[[]])


def test_many_allowed_values_are_left_out() -> None:
    """A list of them is offered only where it is short."""
    with pytest.raises(ValidationError) as caught:
        Many.model_validate({"letter": "z"})
    (error,) = from_validation_error(caught.value, Many).errors
    assert error.allowed == ()
    assert FEW == 12


def test_a_place_inside_a_list_is_found() -> None:
    """The pointer counts, and the fields named are those of the inner model."""
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": [{"letter": "a"}, {"number": 1}]})
    errors = {e.pointer: e for e in from_validation_error(caught.value, Outer).errors}
    assert errors.keys() == {"/inner/1/letter", "/inner/1/number"}
    assert errors["/inner/1/number"].allowed == ("letter",)
