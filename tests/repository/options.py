"""Every option of a request whose value may exclude another's, read from the models."""

from collections.abc import Iterator, Mapping
from functools import cache
from itertools import combinations, product
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from schemas.deployment import DeploymentRequest
from schemas.model import Model

FIELDS = (
    "placement",
    "database",
    "highly_available",
    "size",
    "serving",
    "access",
    "training_account",
    "network",
    "load_balancer",
)
"""The fields whose values exclude each other; all others go with everything."""

MORE: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "app_engine": (("app_engine by CPU", {}), ("app_engine fixed", {"instances": 1})),
    "basic_auth": (
        ("basic_auth", {}),
        ("basic_auth behind iap service", {"iap": {"guard": "service"}}),
        ("basic_auth behind iap load_balancer", {"iap": {"guard": "load_balancer"}}),
    ),
}
"""What numbers and models within a variant decide, which no list of values shows."""

Wish = tuple[str, ...]
"""One title for each field: a whole combination."""
Pair = tuple[tuple[str, str], tuple[str, str]]
"""Two fields, each with the title of an option."""


@cache
def options(name: str) -> Mapping[str, Any]:
    """Return every value of a field that the models offer, by what it is called."""
    field = DeploymentRequest.model_fields[name]
    if field.annotation is bool:
        return {"no": False, "yes": True}
    kinds = get_args(field.annotation) or (field.annotation,)
    models = [one for one in kinds if isinstance(one, type) and issubclass(one, Model)]
    if not models:
        return {value: value for value in kinds}
    if type(None) in kinds:
        return {"no": None, "yes": next(one for one in field.examples or () if one is not None)}
    return dict(
        value for model in models for value in _variants(model, field.discriminator or "platform")
    )


def _variants(model: type[Model], key: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give one value for each choice of words that a variant has besides its own name."""
    (tag,) = get_args(model.model_fields[key].annotation)
    least = {key: tag} | {
        name: field.examples[0]
        for name, field in model.model_fields.items()
        if field.is_required() and name != key and field.examples
    }
    if tag in MORE:
        yield from ((title, {**least, **more}) for title, more in MORE[tag])
        return
    choices = {
        name: get_args(field.annotation)
        for name, field in model.model_fields.items()
        if name != key and _is_choice(field)
    }
    for chosen in product(*choices.values()):
        yield " ".join((tag, *chosen)), {**least, **dict(zip(choices, chosen, strict=True))}


def _is_choice(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is Literal


def request(wish: Wish, **more: Any) -> dict[str, Any]:
    """Return the request that asks for a combination."""
    values = {name: options(name)[title] for name, title in zip(FIELDS, wish, strict=True)}
    return {"name": "a", "team": "a", **values, **more}


def is_valid(wish: Wish) -> bool:
    """Tell whether a request for this combination is accepted."""
    try:
        DeploymentRequest.model_validate(request(wish))
    except ValidationError:
        return False
    return True


@cache
def valid_wishes() -> tuple[Wish, ...]:
    """Return every combination that is accepted."""
    return tuple(wish for wish in product(*map(options, FIELDS)) if is_valid(wish))


def pairs_of(wish: Wish) -> Iterator[Pair]:
    """Give every two options of a combination, in the order of the fields."""
    yield from combinations(zip(FIELDS, wish, strict=True), 2)


@cache
def valid_pairs() -> frozenset[Pair]:
    """Return every two options that some request can have at once."""
    return frozenset(pair for wish in valid_wishes() for pair in pairs_of(wish))
