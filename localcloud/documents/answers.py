"""Answers checked against the discovery document: a field Google does not have is a bug here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.documents.validation import BOUNDS

if TYPE_CHECKING:
    from localcloud.documents.discovery import Document, Method, Schema


class AnswerError(Exception):
    """A handler gave something the document does not describe."""


def check_response(document: Document, method: Method, body: Any) -> Any:
    """Give the answer with 64-bit numbers as strings; a field Google does not have is a bug."""
    if method.response is None:
        if body:
            raise AnswerError(f"{method.id} has no response body, but the handler gave one")
        return {}
    return _answer(document, body, document.schemas[method.response], method.response)


def _answer(document: Document, value: Any, schema: Schema, at: str) -> Any:
    if "$ref" in schema:
        return _answer(document, value, document.schemas[schema["$ref"]], at)
    kind = schema.get("type")
    if kind == "any":
        return value
    if kind == "object":
        return _answer_object(document, value, schema, at)
    if kind == "array":
        if not isinstance(value, list):
            raise AnswerError(f"{at} must be a list, the handler gave {value!r}")
        return [_answer(document, item, schema["items"], f"{at}[]") for item in value]
    if kind == "string" and schema.get("format") in BOUNDS and isinstance(value, int):
        return str(value)
    if not isinstance(value, _PYTHON[kind or "any"]) or (
        kind in {"integer", "number"} and isinstance(value, bool)
    ):
        raise AnswerError(f"{at} must be a {kind}, the handler gave {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise AnswerError(f"{at} must be one of {schema['enum']}, the handler gave {value!r}")
    return value


_PYTHON: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "any": object,
}


def _answer_object(document: Document, value: Any, schema: Schema, at: str) -> Any:
    if not isinstance(value, dict):
        raise AnswerError(f"{at} must be an object, the handler gave {value!r}")
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    found = {}
    for key, item in value.items():
        field = properties.get(key, extra)
        if field is None:
            raise AnswerError(f"the document knows no field {at}.{key}")
        if item is not None or field.get("type") == "any":
            found[key] = _answer(document, item, field, f"{at}.{key}") if item is not None else None
    return found


def number_enums(document: Document, schema_name: str, body: Any) -> Any:
    """Write enums as numbers, as ``$alt=json;enum-encoding=int`` asks for."""
    return _numbered(document, body, {"$ref": schema_name})


def _numbered(document: Document, value: Any, schema: Schema) -> Any:
    if "$ref" in schema:
        return _numbered(document, value, document.schemas[schema["$ref"]])
    if isinstance(value, dict):
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties", {})
        return {
            key: _numbered(document, item, properties.get(key, extra))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_numbered(document, item, schema.get("items", {})) for item in value]
    choices = schema.get("enum")
    return choices.index(value) if choices and value in choices else value
