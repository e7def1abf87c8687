"""Requests checked against the discovery document, in Google's words."""

from __future__ import annotations

import base64
import math
import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid
from localcloud.service import camel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.documents.discovery import Document, Method, Schema

Json = Any

# accepted by every front end although no document lists them
_UNLISTED = frozenset(
    {"$alt", "$prettyPrint", "$fields", "upload_id", "userProject", "prettyprint"}
)
# how google-cloud-storage writes two parameters, and Google takes them
_MISSPELT = {
    "ifMetaGenerationMatch": "ifMetagenerationMatch",
    "ifMetaGenerationNotMatch": "ifMetagenerationNotMatch",
}
_TYPE_WORDS = {"string": "TYPE_STRING", "boolean": "TYPE_BOOL", "number": "TYPE_DOUBLE"}
_FORMAT_WORDS = {
    "int32": "TYPE_INT32",
    "uint32": "TYPE_UINT32",
    "int64": "TYPE_INT64",
    "uint64": "TYPE_UINT64",
    "byte": "TYPE_BYTES",
    "float": "TYPE_FLOAT",
    "double": "TYPE_DOUBLE",
    "google-datetime": "type.googleapis.com/google.protobuf.Timestamp",
    "google-duration": "type.googleapis.com/google.protobuf.Duration",
    "google-fieldmask": "type.googleapis.com/google.protobuf.FieldMask",
}
BOUNDS = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_UNKNOWN_FIELD = 'Invalid JSON payload received. Unknown name "{key}"{where}: Cannot find field.'
_UNKNOWN_PARAMETER = (
    'Invalid JSON payload received. Unknown name "{key}": Cannot bind query parameter. '
    "Field '{key}' could not be found in request message."
)
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_BOOLEANS = {"true": True, "false": False}
_WHOLE = re.compile(r"-?\d{1,20}", re.ASCII)
_FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_DURATION = re.compile(r"-?\d+(\.\d{1,9})?s", re.ASCII)


class _Problems(list[tuple[str, str]]):
    """Violations found so far, as (field, sentence)."""

    def raise_if_any(self) -> None:
        if not self:
            return
        message = "\n".join(sentence for _, sentence in self)
        violations = [
            {**({"field": field} if field else {}), "description": sentence}
            for field, sentence in self
        ]
        detail = {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": violations,
        }
        raise ApiError(400, message, details=[detail])


def check_query(
    document: Document, method: Method, query: Iterable[tuple[str, str]], *, snake: bool
) -> tuple[dict[str, Json], dict[str, str]]:
    """Convert the query into (the method's parameters, the standard parameters)."""
    params: dict[str, Json] = {}
    standard: dict[str, str] = {}
    problems = _Problems()
    for key, text in query:
        name = key
        if name not in method.parameters and snake and camel(name) in method.parameters:
            name = camel(name)
        name = _MISSPELT.get(name, name)
        schema = method.parameters.get(name)
        if schema is None or schema.get("location") == "path":
            if key in document.standard or key in _UNLISTED:
                standard[key.lstrip("$") if key in {"$alt", "$fields"} else key] = text
                continue
            problems.append(
                ("", _UNKNOWN_PARAMETER.format(key=key)),
            )
            continue
        value = _from_text(text, schema, proto_name(name) if snake else name, problems)
        if schema.get("repeated"):
            params.setdefault(name, []).append(value)
        else:
            params[name] = value
    for name, schema in method.parameters.items():
        if schema.get("required") and schema.get("location") == "query" and name not in params:
            problems.append((name, f"Required parameter: {name}"))
        if "default" in schema and name not in params and schema.get("location") == "query":
            params[name] = _from_text(schema["default"], schema, name, problems)
    problems.raise_if_any()
    return params, standard


def _from_text(text: str, schema: Schema, name: str, problems: _Problems) -> Json:
    kind, form = schema.get("type"), schema.get("format")
    if kind == "boolean":
        if text.lower() in {"true", "1"}:
            return True
        if text.lower() in {"false", "0"}:
            return False
        problems.append((name, f"Invalid value at '{name}' (TYPE_BOOL), \"{text}\""))
        return None
    if kind == "integer" or form in BOUNDS:
        return _integer(text, form, name, problems, shown=f'"{text}"')
    if "enum" in schema:
        return _enum(text, schema, name, problems)
    return text


def check_body(
    document: Document,
    method: Method,
    body: Json,
    *,
    required: Iterable[str] = (),
    snake: bool = True,
    keep_nulls: bool = False,
) -> dict[str, Json]:
    """Give a copy of the body with output-only fields dropped, or say what is wrong with it."""
    if method.request is None:
        if body:
            raise invalid(
                'Invalid JSON payload received. Unknown name "": Root element must be a message.'
                if not isinstance(body, dict)
                else "Invalid JSON payload received. "
                f'Unknown name "{next(iter(body))}": Cannot find field.'
            )
        return {}
    if not isinstance(body, dict):
        raise invalid(
            'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        )
    problems = _Problems()
    reader = _Reader(document, problems, snake=snake, keep_nulls=keep_nulls)
    checked = reader.message(body, document.schemas[method.request], "")
    wrong = {field for field, _ in problems}
    for path in required:
        shown = proto_name(path) if snake else path
        if shown not in wrong and _missing(checked, path.split(".")):
            problems.append((shown, f"Required field '{shown}' is missing."))
    problems.raise_if_any()
    return checked


def _missing(body: Json, path: list[str]) -> bool:
    if not path:
        return body in (None, "", [])
    if isinstance(body, list):
        return any(_missing(item, path) for item in body)
    if not isinstance(body, dict) or path[0] not in body:
        return True
    return _missing(body[path[0]], path[1:])


class _Reader:
    """Walks a request body alongside its schema."""

    def __init__(
        self, document: Document, problems: _Problems, *, snake: bool, keep_nulls: bool
    ) -> None:
        self.document = document
        self.problems = problems
        self.snake = snake
        self.keep_nulls = keep_nulls

    def message(self, body: dict[str, Json], schema: Schema, at: str) -> dict[str, Json]:
        properties = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        found: dict[str, Json] = {}
        for key, value in body.items():
            name = key
            if name not in properties and self.snake and camel(name) in properties:
                name = camel(name)
            field = properties.get(name, extra)
            if field is None and value is None and not self.snake:
                # google-cloud-storage sends null for what it knows and the document does not
                continue
            if field is None:
                where = f" at '{at}'" if at else ""
                self.problems.append(
                    (at, _UNKNOWN_FIELD.format(key=key, where=where)),
                )
                continue
            if field.get("readOnly"):
                continue
            if value is None:
                if self.keep_nulls or field.get("type") == "any":
                    found[name] = None
                continue
            shown = proto_name(name) if self.snake and "properties" in schema else name
            found[name] = self.value(value, field, f"{at}.{shown}" if at else shown)
        return found

    def value(self, value: Json, schema: Schema, at: str) -> Json:
        if "$ref" in schema:
            target = self.document.schemas[schema["$ref"]]
            if target.get("type") != "object":
                return self.value(value, target, at)
            if not isinstance(value, dict):
                return self._no_object(at, f"type.googleapis.com/{schema['$ref']}", value)
            return self.message(value, target, at)
        kind = schema.get("type")
        if kind == "any":
            return value
        if kind == "array":
            if not isinstance(value, list):
                return self._wrong(at, _word(schema["items"]), value)
            return [
                self.value(item, schema["items"], f"{at}[{index}]")
                for index, item in enumerate(value)
            ]
        if kind == "object":
            if not isinstance(value, dict):
                return self._no_object(at, "Map", value)
            return self.message(value, schema, at)
        if isinstance(value, list | dict):
            return self._no_list(at) if isinstance(value, list) else self._no_message(at)
        return self.scalar(value, schema, at)

    def scalar(self, value: Json, schema: Schema, at: str) -> Json:
        kind, form = schema.get("type"), schema.get("format")
        if kind == "integer" or form in BOUNDS:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                return self._wrong(at, _word(schema), value)
            number = _integer(str(value), form, at, self.problems, shown=_shown(value))
            return str(number) if kind == "string" else number
        if kind == "number":
            return self._number(value, schema, at)
        if kind == "boolean":
            # google.oauth2._client sends "true"
            found = _BOOLEANS.get(value) if isinstance(value, str) else value
            return found if isinstance(found, bool) else self._wrong(at, "TYPE_BOOL", value)
        if "enum" in schema and isinstance(value, int) and not isinstance(value, bool):
            return _enum(value, schema, at, self.problems)
        if not isinstance(value, str):
            return self._wrong(at, _word(schema), value)
        if "enum" in schema:
            return _enum(value, schema, at, self.problems)
        check = _FORMATS.get(form or "")
        if check is not None and not check(value):
            why = "Base64 decoding failed for " if form == "byte" else ""
            return self._wrong(at, _word(schema), value, why)
        return value

    def _number(self, value: Json, schema: Schema, at: str) -> Json:
        """Read a float, which JSON for protobuf may also write as a string."""
        try:
            found = None if isinstance(value, bool) else float(value)
        except (ValueError, OverflowError):
            found = None
        if found is None or not math.isfinite(found):
            return self._wrong(at, _word(schema), value)
        return found if isinstance(value, str) else value

    def _no_object(self, at: str, word: str, value: Json) -> None:
        if isinstance(value, list):
            return self._no_list(at)
        return self._wrong(at, word, value)

    def _no_message(self, at: str) -> None:
        parent, _, name = at.rpartition(".")
        where = f" at '{parent}'" if parent else ""
        sentence = f"Invalid value{where} ({name}), Starting an object on a scalar field"
        self.problems.append((parent, sentence))

    def _no_list(self, at: str) -> None:
        parent, _, name = at.rpartition(".")
        where = f" at '{parent}'" if parent else ""
        sentence = (
            f'Invalid JSON payload received. Unknown name "{name}"{where}: Proto field is not '
            "repeating, cannot start list."
        )
        self.problems.append((parent, sentence))

    def _wrong(self, at: str, word: str, value: Json, why: str = "") -> None:
        self.problems.append((at, f"Invalid value at '{at}' ({word}), {why}{_shown(value)}"))


def _is_base64(value: str) -> bool:
    try:
        padded = value + "=" * (-len(value) % 4)
        base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:  # which is also what anything outside ASCII raises
        return False
    return True


_FORMATS: dict[str, Callable[[str], bool]] = {
    "google-datetime": lambda value: bool(_TIMESTAMP.fullmatch(value)),
    "date-time": lambda value: bool(_TIMESTAMP.fullmatch(value)),
    "google-duration": lambda value: bool(_DURATION.fullmatch(value)),
    "byte": _is_base64,
}


def _word(schema: Schema) -> str:
    if "$ref" in schema:
        return f"type.googleapis.com/{schema['$ref']}"
    if "enum" in schema:
        return "type.googleapis.com/Enum"
    form = _FORMAT_WORDS.get(schema.get("format", ""))
    return form or _TYPE_WORDS.get(schema.get("type", ""), "TYPE_MESSAGE")


def proto_name(name: str) -> str:
    """Write a field's JSON name as the proto does, which is how Google's messages show it."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _integer(text: str, form: str | None, at: str, problems: _Problems, *, shown: str) -> Json:
    word = _FORMAT_WORDS.get(form or "", "TYPE_INT32")
    low, high = BOUNDS.get(form or "int32", BOUNDS["int64"])
    try:
        # 1.0 and 1e3 are whole numbers too; int() alone would also take " 1_0 "
        number = int(text) if _WHOLE.fullmatch(text) else _whole(text)
    except (ValueError, OverflowError):
        number = None
    if number is None or not low <= number <= high:
        problems.append((at, f"Invalid value at '{at}' ({word}), {shown}"))
        return 0
    return number


def _whole(text: str) -> int | None:
    found = float(text) if _FLOAT.fullmatch(text) else math.nan
    return int(found) if found.is_integer() else None


def _enum(value: str | int, schema: Schema, at: str, problems: _Problems) -> Json:
    choices = schema["enum"]
    if isinstance(value, int):
        # generated REST clients send numbers; the documents list values in their numbers' order
        if 0 <= value < len(choices):
            return choices[value]
    elif value in choices:
        return value
    problems.append((at, f"Invalid value at '{at}' (type.googleapis.com/Enum), {_shown(value)}"))
    return None
