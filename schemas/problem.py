"""Problem: every refusal and every failure, in the shape of RFC 9457."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, Field, ValidationError

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
from schemas.place import Place, place_of, tags

FEW = 12
"""How many allowed values a problem spells out; a longer list helps nobody."""

OUR_OWN = frozenset({"contradiction", "duplicate_member", "reserved_label", "reserved_name"})
"""The kinds of error that our validators raise; their messages are whole sentences."""

IN_WORDS = {
    NAME_PATTERN: "1 to 20 small letters, digits and hyphens, beginning with a letter and not "
    "ending in a hyphen",
    TEAM_PATTERN: "1 to 30 small letters, digits and hyphens, beginning with a letter and not "
    "ending in a hyphen",
    REGION_PATTERN: "a Google Cloud region such as europe-west1, in small letters and without the "
    "letter of a zone",
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

BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
"""How a bound is said, and what pydantic calls it."""

AN_OBJECT, A_LIST, A_NUMBER = "an object", "a list", "a whole number, without quotes"
TYPES = {
    "model_type": AN_OBJECT,
    "model_attributes_type": AN_OBJECT,
    "dict_type": AN_OBJECT,
    "tuple_type": A_LIST,
    "list_type": A_LIST,
    "string_type": "text in quotes",
    "int_type": A_NUMBER,
    "int_from_float": A_NUMBER,
    "bool_type": "true or false, without quotes",
}
"""What a field takes, in JSON's words, by what pydantic calls it when it is something else."""


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
    place = place_of(location, model)
    context: Mapping[str, Any] = found.get("ctx", {})
    if found["type"].startswith("union_tag"):
        place = replace(place, path=(*place.path, context["discriminator"].strip("'")))
    for contradiction in context.get("found", ()):
        for where in contradiction["pointers"]:
            yield FieldError(pointer=where, message=contradiction["message"])
    if "found" in context:
        return
    # A cross-field rule names the places itself: a validator of the whole has no place.
    pointers = context.get("pointers") or (pointer(*place.path),)
    message, allowed = _worded(found, place)
    if clash := _clash_with_choice(found, place, message):
        pointers, message, allowed = clash
    for where in pointers:
        yield FieldError(
            pointer=where, message=message, allowed=allowed if len(allowed) <= FEW else ()
        )


def _choices(text: str) -> tuple[str, ...]:
    """Return the values in pydantic's list: "'a', 'b' or 'c'"."""
    return tuple(part for part in text.split("'")[1::2] if part)


def _clash_with_choice(
    found: Mapping[str, Any], place: Place, message: str
) -> tuple[tuple[str, ...], str, tuple[str, ...]] | None:
    """Return places and words where another choice would have had the option, or taken its value.

    Like the contradictions that are checked after all fields: both options, and the ways out.
    """
    choice = place.choice
    if choice is None or not (found["type"] == "extra_forbidden" or found["type"] in BOUNDS):
        return None
    name = str(place.path[-1])
    if found["type"] == "extra_forbidden":
        option, others, way_out = name, choice.having(name), f"leave {name} out"
        why = f"only {_or(others)} {'has' if len(others) == 1 else 'have'} that option"
    else:
        option, others = f"{name} {found['input']}", choice.taking(name, found["input"])
        why, way_out = f"{message} there", "change it"
    if not others:
        return None
    words = (
        f"{choice.spoken} {choice.taken} and {option} contradict each other: {why}; "
        f"{way_out}, or use {choice.spoken} {_or(others)}"
    )
    return (pointer(*place.path), pointer(*choice.path)), words, ()


def _or(names: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""


def _worded(found: Mapping[str, Any], place: Place) -> tuple[str, tuple[str, ...]]:
    """Return the message for one error of pydantic's, and the values it allows."""
    kind, context = found["type"], found.get("ctx", {})
    name, owner = place.spoken, place.owner
    if kind in OUR_OWN:
        return found["msg"], ()
    if kind == "extra_forbidden":
        known = tuple(owner.model_fields) if owner is not None else ()
        return f"{name} is not a field here; the fields are {', '.join(known)}", known
    if kind == "missing":
        return f"{name} is required", ()
    if kind == "literal_error" or kind.startswith("union_tag"):
        return _of_a_choice(found, place)
    if kind == "string_pattern_mismatch":
        pattern = context["pattern"]
        return f"{name} must be {IN_WORDS.get(pattern, f'like {pattern}')}", ()
    if kind in BOUNDS:
        word, bound = BOUNDS[kind]
        return f"{name} must be {word} {context[bound]}", ()
    if kind in TYPES:
        return f"{name} must be {TYPES[kind]}{_such_as(place, TYPES[kind])}", ()
    if kind == "json_invalid":
        return f"the body is not JSON: {context['error']}", ()
    return f"{name}: {found['msg']}", ()


def _of_a_choice(found: Mapping[str, Any], place: Place) -> tuple[str, tuple[str, ...]]:
    if found["type"] == "literal_error":
        allowed, given = _choices(found["ctx"]["expected"]), str(found["input"])
        if given in allowed:
            return f'{place.spoken} must be text in quotes: "{given}"', allowed
    else:
        allowed = tags(place.owner, str(found["loc"][-1]))
    return f"{place.spoken} must be one of {', '.join(allowed)}", allowed


def _such_as(place: Place, what: str) -> str:
    """Return an example of what belongs there, where the words alone leave one to guess."""
    field = (
        place.owner.model_fields.get(str(place.path[-1])) if place.owner and place.path else None
    )
    kinds: dict[str, tuple[type, ...]] = {AN_OBJECT: (dict,), A_LIST: (list,)}
    examples = (field.examples if field is not None else None) or ()
    fitting = (one for one in examples if isinstance(one, kinds.get(what, (str,))) and one)
    example = next(fitting, None)
    return "" if example is None else f", such as {json.dumps(example)}"
