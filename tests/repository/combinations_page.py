"""Writes docs/combinations.md from the models and their contradictions: `make schemas` calls it."""

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from schemas.contradictions import TABLE
from schemas.deployment import DeploymentRequest
from schemas.model import Model

PAGE = Path(__file__).parents[2] / "docs" / "combinations.md"
FIELDS = ("placement", "database", "highly_available", "size", "serving", "access")
"""The fields whose values exclude each other; all others go with everything."""

Option = tuple[str, dict[str, Any]]
"""What an option is called, and what a request says to have it."""


def options(name: str) -> list[Option]:
    """Return every value of a field that the models offer."""
    field = DeploymentRequest.model_fields[name]
    if field.annotation is bool:
        return [("no", {name: False}), ("yes", {name: True})]
    models = [one for one in _variants(field) if isinstance(one, type) and issubclass(one, Model)]
    if not models:
        return [(value, {name: value}) for value in get_args(field.annotation)]
    return [(title, {name: value}) for model in models for title, value in _values(model, field)]


def _variants(field: FieldInfo) -> tuple[Any, ...]:
    return get_args(field.annotation) or (field.annotation,)


def _values(model: type[Model], field: FieldInfo) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give one value for each version of a variant, or one when it has none."""
    key = field.discriminator or "platform"
    (tag,) = get_args(model.model_fields[str(key)].annotation)
    versions = model.model_fields.get("version")
    if versions is None:
        yield tag, {str(key): tag}
        return
    for version in get_args(versions.annotation):
        yield f"{tag} {version}", {str(key): tag, "version": version}


def valid(*chosen: dict[str, Any]) -> bool:
    """Tell whether a request with these options is accepted."""
    request: dict[str, Any] = {"name": "a", "team": "a"}
    for one in chosen:
        request |= one
    try:
        DeploymentRequest.model_validate(request)
    except ValidationError:
        return False
    return True


def possible(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Tell whether some request has both."""
    others = [name for name in FIELDS if name not in first and name not in second]
    ways = product(*([value for _, value in options(name)] for name in others))
    return any(valid(first, second, *way) for way in ways)


def matrix(one: str, other: str) -> list[str]:
    """Return the table of two fields; nothing when everything goes with everything."""
    rows, columns = options(one), options(other)
    cells = [[possible(row, column) for _, column in columns] for _, row in rows]
    if all(all(row) for row in cells):
        return []
    return [
        f"## {one} and {other}",
        "",
        f"| {one} | " + " | ".join(title for title, _ in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {title} | " + " | ".join("yes" if cell else "**no**" for cell in row) + " |"
            for (title, _), row in zip(rows, cells, strict=True)
        ),
        "",
    ]


def page() -> str:
    """Return the page: what is offered, what goes with what, and what is said when it does not."""
    choices = [
        f"| `{name}` | " + " · ".join(title for title, _ in options(name)) + " |" for name in FIELDS
    ]
    tables = [line for one, other in combinations(FIELDS, 2) for line in matrix(one, other)]
    said = [
        f"| {' · '.join(f'`{pointer}`' for pointer in contradiction.pointers)} "
        f"| {contradiction.message.replace('{request.', '{')} |"
        for contradiction in TABLE
    ]
    lines = [
        "# Combinations",
        "",
        "Written by `make schemas` from the models. Every pair of options that is not in one of the tables below",
        "goes together. What an installation lacks (a region, a version, a pool) is another matter and is said, too.",
        "",
        "| field | values |",
        "|---|---|",
        *choices,
        "",
        *tables,
        "## What is said",
        "",
        "All contradictions of a request come in one answer, each with the pointers to both places.",
        "",
        "| places | message |",
        "|---|---|",
        *said,
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
