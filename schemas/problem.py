"""Problem: every refusal and every failure, in the shape of RFC 9457."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from schemas.access import ADDRESS_PATTERN, ISSUER_PATTERN, LOGIN_PATTERN, SECRET_PATTERN
from schemas.model import (
    DOMAIN_PATTERN,
    EMAIL_PATTERN,
    LABEL_KEY_PATTERN,
    LABEL_VALUE_PATTERN,
    MEMBER_PATTERN,
    NAME_PATTERN,
    REGION_PATTERN,
    RESOURCE_PATTERN,
    TEAM_PATTERN,
    VERSION_PATTERN,
    Count,
    Flag,
    Model,
)

FEW = 12
"""How many allowed values a problem spells out; a longer list helps nobody."""

OUR_OWN = frozenset({"contradiction", "duplicate_member", "reserved_label", "reserved_name"})
"""The kinds of error that our validators raise; their messages are whole sentences."""

IN_WORDS = {
    NAME_PATTERN: "1 to 20 small letters, digits and hyphens, beginning with a letter and not "
    "ending in a hyphen",
    TEAM_PATTERN: "1 to 30 small letters, digits and hyphens, beginning with a letter and not "
    "ending in a hyphen",
    REGION_PATTERN: "a Google Cloud region such as europe-west1",
    VERSION_PATTERN: "three numbers such as 3.17.2",
    EMAIL_PATTERN: "an e-mail address",
    LABEL_KEY_PATTERN: "a small letter, then up to 62 small letters, digits, _ and -",
    LABEL_VALUE_PATTERN: "at most 63 small letters, digits, _ and -",
    MEMBER_PATTERN: "user:EMAIL, group:EMAIL, serviceAccount:EMAIL or domain:DOMAIN; "
    "a tracking server is never public",
    ADDRESS_PATTERN: "user:EMAIL or serviceAccount:EMAIL; the proxy cannot look into groups, and "
    "whole domains go into email_domains",
    DOMAIN_PATTERN: "a domain in small letters such as example.com",
    ISSUER_PATTERN: "ISSUER=AUDIENCE such as https://token.example.com=mlflow",
    LOGIN_PATTERN: "2 to 40 small letters, digits, dots, _ and -, beginning with a letter",
    RESOURCE_PATTERN: "1 to 63 small letters, digits and hyphens, beginning with a letter and not "
    "ending in a hyphen",
    SECRET_PATTERN: "the name of a secret: 1 to 255 letters, digits, _ and -",
}
"""What a pattern asks for, said so that a person can follow it."""


class FieldError(Model):
    """One thing wrong with one place of the request."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) to the place; empty for the whole body.",
        examples=["/size", "/access/members/0", ""],
    )
    message: str = Field(
        description="What is wrong there, in one sentence.",
        examples=["size must be one of small, medium, large"],
    )
    allowed: tuple[str, ...] = Field(
        default=(),
        description="The values that would be accepted, where they are few.",
        examples=[["small", "medium", "large"]],
    )


class Problem(Model):
    """Why a request was refused or a deployment failed, and what to do about it."""

    type: str = Field(
        default="about:blank",
        description="A name for this kind of problem that stays the same for good.",
        examples=["urn:berth:problem:invalid-request", "urn:berth:problem:permission-missing"],
    )
    title: str = Field(
        description="The kind of problem in a few words; the same for all of its kind.",
        examples=["The request is not valid"],
    )
    status: Count = Field(
        description="The HTTP status that goes with it.", examples=[400, 403, 409, 502]
    )
    detail: str = Field(
        description="What happened this time, in one or two sentences.",
        examples=["The body has 2 errors; see errors."],
    )
    instance: str | None = Field(
        default=None,
        description="The path of what it is about.",
        examples=["/v1/deployments/fraud"],
    )
    step: str | None = Field(
        default=None,
        description="The part of the deployment at which it went wrong, and the resource if known.",
        examples=["backend_store", "tracking_server: Cloud Run service mlflow-fraud"],
    )
    cause: str | None = Field(
        default=None,
        description="The cause in Google's words, as it came back from the API.",
        examples=["Permission 'run.services.create' denied on resource"],
    )
    remedy: str | None = Field(
        default=None,
        description="What a person can do about it, in our words.",
        examples=["Run `python -m install apply` again: it restores the role that is missing."],
    )
    resumable: Flag = Field(
        default=False,
        description="Whether the same request can be sent again and go on from where it stopped.",
        examples=[True],
    )
    errors: tuple[FieldError, ...] = Field(
        default=(),
        description="What is wrong with the request, place by place.",
        examples=[[{"pointer": "/size", "message": "not a size", "allowed": ["small"]}]],
    )


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer that leads through `parts`."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def invalid(errors: tuple[FieldError, ...], *, instance: str | None = None) -> Problem:
    """Return the problem of a request that is wrong in the places that `errors` name."""
    messages = tuple(dict.fromkeys(error.message for error in errors))
    detail = (
        messages[0]
        if len(messages) == 1
        else f"The request is wrong in {len(messages)} ways; see errors."
    )
    return Problem(
        type="urn:berth:problem:invalid-request",
        title="The request is not valid",
        status=400,
        detail=detail,
        instance=instance,
        errors=errors,
    )


def from_validation_error(error: ValidationError, model: type[BaseModel]) -> Problem:
    """Return the problem that says, place by place, what `model` could not accept."""
    return invalid(field_errors(error, model))


def field_errors(error: ValidationError, model: type[BaseModel]) -> tuple[FieldError, ...]:
    """Return one FieldError for each place that `error` speaks of."""
    return tuple(
        entry for found in error.errors(include_url=False) for entry in _entries(dict(found), model)
    )


def _entries(found: Mapping[str, Any], model: type[BaseModel]) -> Iterator[FieldError]:
    # pydantic marks a bad key of a map with "[key]" behind it; the caller wrote no such thing.
    location = tuple(part for part in found["loc"] if part != "[key]")
    place, owner = _place(location, model)
    context: Mapping[str, Any] = found.get("ctx", {})
    if found["type"].startswith("union_tag"):
        place = [*place, context["discriminator"].strip("'")]
    for contradiction in context.get("found", ()):
        for where in contradiction["pointers"]:
            yield FieldError(pointer=where, message=contradiction["message"])
    if "found" in context:
        return
    # A cross-field rule names the places itself: a validator of the whole has no place.
    pointers = context.get("pointers") or (pointer(*place),)
    message, allowed = _worded(found, place, owner)
    for where in pointers:
        yield FieldError(
            pointer=where, message=message, allowed=allowed if len(allowed) <= FEW else ()
        )


def _place(
    location: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[list[str | int], type[BaseModel] | None]:
    """Return the path in the caller's own document, and the model that owns its last key.

    pydantic puts the tag of a discriminated union into the location ("access", "iam",
    "members"), but the caller wrote no such key.
    """
    place: list[str | int] = []
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    tagged = False
    for part in location:
        if tagged and field is not None:
            owner = _variant(field, str(part))
            tagged = False
            continue
        if field is not None and isinstance(part, str):
            owner = _inner(field) or owner
        place.append(part)
        if isinstance(part, int):
            continue
        field = owner.model_fields.get(str(part)) if owner is not None else None
        tagged = field is not None and field.discriminator is not None
    return place, owner


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _inner(field: FieldInfo) -> type[BaseModel] | None:
    return next(_models(field.annotation), None)


def _variant(field: FieldInfo, tag: str) -> type[BaseModel] | None:
    for candidate in _models(field.annotation):
        key = candidate.model_fields.get(str(field.discriminator))
        if key is not None and tag in get_args(key.annotation):
            return candidate
    return None


def _choices(text: str) -> tuple[str, ...]:
    """Return the values in pydantic's list: "'a', 'b' or 'c'"."""
    return tuple(part for part in text.split("'")[1::2] if part)


def _tags(owner: type[BaseModel] | None, name: str) -> tuple[str, ...]:
    """Return the tags of the union that the field `name` of `owner` is."""
    field = owner.model_fields.get(name) if owner is not None else None
    if field is None:
        return ()
    keys = (
        candidate.model_fields.get(str(field.discriminator))
        for candidate in _models(field.annotation)
    )
    return tuple(tag for key in keys if key is not None for tag in get_args(key.annotation))


def _worded(
    found: Mapping[str, Any], place: list[str | int], owner: type[BaseModel] | None
) -> tuple[str, tuple[str, ...]]:
    """Return the message for one error of pydantic's, and the values it allows."""
    kind, context = found["type"], found.get("ctx", {})
    name = _spoken(place)
    if kind in OUR_OWN:
        return found["msg"], ()
    if kind == "extra_forbidden":
        known = tuple(owner.model_fields) if owner is not None else ()
        return f"{name} is not a field here; the fields are {', '.join(known)}", known
    if kind == "missing":
        return f"{name} is required", ()
    if kind == "literal_error":
        allowed = _choices(context["expected"])
        return f"{name} must be one of {', '.join(allowed)}", allowed
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        allowed = _tags(owner, str(found["loc"][-1]))
        return f"{name} must be one of {', '.join(allowed)}", allowed
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return f"{name} must be {IN_WORDS.get(pattern, f'like {pattern}')}", ()
    if kind == "json_invalid":
        return f"the body is not JSON: {context['error']}", ()
    return f"{name}: {found['msg']}", ()


def _spoken(place: list[str | int]) -> str:
    """Return what a person would call the place: "members[0]", "size", "the body"."""
    if not place:
        return "the body"
    if isinstance(place[-1], int):
        return f"{_spoken(place[:-1])}[{place[-1]}]"
    return place[-1]
