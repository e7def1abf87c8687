"""Place: where in a caller's document something is wrong, and which choices stand open there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Place:
    """A place in the caller's own document.

    Args:
        path: The keys that lead there.
        owner: The model that has, or lacks, the last of them.
        union: The field of which `owner` is one of several variants, where it is.
    """

    path: tuple[str | int, ...]
    owner: type[BaseModel] | None
    union: FieldInfo | None

    @property
    def spoken(self) -> str:
        """What a person would call it: "members[0]", "size", "the body"."""
        return _spoken(self.path)

    @property
    def choice(self) -> "Choice | None":
        """The choice that brought `owner` about; None where there is none."""
        if self.union is None or self.owner is None:
            return None
        field = str(self.union.discriminator)
        return Choice(
            path=(*self.path[:-1], field),
            spoken=f"{_spoken(self.path[:-1])}.{field}",
            taken=" or ".join(_tags_of(self.owner, field)),
            variants={
                tag: variant
                for variant in models(self.union.annotation)
                for tag in _tags_of(variant, field)
            },
        )


@dataclass(frozen=True)
class Choice:
    """One of several variants was chosen.

    Args:
        path: Where the choice is made.
        spoken: What a person would call it: "serving.platform".
        taken: What was chosen.
        variants: What could have been.
    """

    path: tuple[str | int, ...]
    spoken: str
    taken: str
    variants: dict[str, type[BaseModel]]

    def having(self, name: str) -> list[str]:
        """Return the choices that have a field of that name."""
        return [tag for tag, one in self.variants.items() if name in one.model_fields]

    def taking(self, name: str, value: object) -> list[str]:
        """Return the choices whose field of that name takes a value."""
        return [tag for tag in self.having(name) if _takes(self.variants[tag], name, value)]


def place_of(location: tuple[str | int, ...], model: type[BaseModel]) -> Place:
    """Return where in the caller's document a location of pydantic's is.

    pydantic puts the tag of a discriminated union into the location ("access", "iam",
    "members"), but the caller wrote no such key.
    """
    path: list[str | int] = []
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    union: FieldInfo | None = None
    tagged = False
    for part in location:
        if tagged and field is not None:
            owner, union = _variant(field, str(part)), field
            # What comes next is a key of this very variant.
            field, tagged = None, False
            continue
        if field is not None and isinstance(part, str):
            owner, union = next(models(field.annotation), owner), None
        path.append(part)
        if isinstance(part, int):
            continue
        field = owner.model_fields.get(part) if owner is not None else None
        tagged = field is not None and field.discriminator is not None
    return Place(tuple(path), owner, union)


def tags(owner: type[BaseModel] | None, name: str) -> tuple[str, ...]:
    """Return the tags of the union that the field `name` of `owner` is."""
    field = owner.model_fields.get(name) if owner is not None else None
    if field is None:
        return ()
    return tuple(
        tag for one in models(field.annotation) for tag in _tags_of(one, str(field.discriminator))
    )


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models(argument)


def _variant(field: FieldInfo, tag: str) -> type[BaseModel] | None:
    for candidate in models(field.annotation):
        if tag in _tags_of(candidate, str(field.discriminator)):
            return candidate
    return None


def _tags_of(variant: type[BaseModel], field: str) -> tuple[str, ...]:
    key = variant.model_fields.get(field)
    return get_args(key.annotation) if key is not None else ()


def _takes(variant: type[BaseModel], name: str, value: object) -> bool:
    field = variant.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _spoken(path: tuple[str | int, ...]) -> str:
    if not path:
        return "the body"
    if isinstance(path[-1], int):
        return f"{_spoken(path[:-1])}[{path[-1]}]"
    return path[-1]
