"""What holds for every model: closed, frozen, explained, and published as JSON Schema."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from schemas.__main__ import FOLDER, PUBLIC, rendered
from schemas.deployment import DeploymentRequest
from schemas.model import Model


def models(root: object, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Yield every model that `root` is made of."""
    if isinstance(root, type) and issubclass(root, BaseModel):
        if root in seen:
            return
        seen.add(root)
        yield root
        for field in root.model_fields.values():
            yield from models(field.annotation, seen)
    for argument in get_args(root):
        yield from models(argument, seen)


SEEN: set[type[BaseModel]] = set()
ALL = sorted((m for root in PUBLIC for m in models(root, SEEN)), key=lambda m: m.__name__)


@pytest.mark.parametrize("model", ALL)
def test_a_model_is_closed_and_frozen(model: type[BaseModel]) -> None:
    """An unknown field is refused; nothing changes after validation."""
    assert issubclass(model, Model)
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"no_such_field": 1})
    assert "extra_forbidden" in {error["type"] for error in caught.value.errors()}
    assert model.model_config["frozen"]


@pytest.mark.parametrize("model", ALL)
def test_every_field_is_explained_and_shown(model: type[BaseModel]) -> None:
    """A description that is a sentence, and an example."""
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no description"
        assert field.description[-1] in ".…?", f"{model.__name__}.{name} is not a sentence"
        assert field.examples, f"{model.__name__}.{name} has no example"


def test_the_published_schemas_are_those_of_the_models() -> None:
    """`python -m schemas` was run after the last change."""
    published = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert published == rendered(), "run `python -m schemas`"


@pytest.mark.parametrize("name", sorted(rendered()))
def test_a_published_schema_is_a_schema(name: str) -> None:
    """Any validator can read it."""
    jsonschema.Draft202012Validator.check_schema(json.loads(rendered()[name]))


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"name": "fraud", "team": "risk"}, True),
        ({"name": "fraud"}, False),
        ({"name": "Fraud", "team": "risk"}, False),
        ({"name": "fraud", "team": "risk", "colour": "red"}, False),
        ({"name": "fraud", "team": "risk", "size": "huge"}, False),
        ({"name": "fraud", "team": "risk", "access": {"mode": "basic_auth"}}, True),
        ({"name": "fraud", "team": "risk", "access": {"mode": "open"}}, False),
    ],
)
def test_the_published_schema_agrees_with_the_model(body: dict[str, Any], *, valid: bool) -> None:
    """What an editor says of a request is what the api says of it."""
    schema = json.loads(rendered()["DeploymentRequest.json"])
    assert jsonschema.Draft202012Validator(schema).is_valid(body) is valid
    if valid:
        DeploymentRequest.model_validate(body)
    else:
        with pytest.raises(ValidationError):
            DeploymentRequest.model_validate(body)


def test_a_document_has_every_field() -> None:
    """The workflow reads keys that must be there, null where there is nothing."""
    request = DeploymentRequest(name="fraud", team="risk")
    assert request.document().keys() == DeploymentRequest.model_fields.keys()
    assert request.document()["region"] is None
