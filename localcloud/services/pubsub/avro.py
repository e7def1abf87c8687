"""Avro: whether a definition is one, and whether a message is what it says."""

from __future__ import annotations

import io
import json
from functools import cache
from importlib import import_module
from typing import Any

from localcloud.errors import invalid

Parsed = Any

_BROKEN = (
    # What fastavro raises on data that is not what a schema says depends on where it notices.
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


@cache
def _fastavro() -> Any:
    """Import the library when the first schema needs it: it is ten megabytes of memory."""
    return import_module("fastavro")


def parsed(definition: str) -> Parsed:
    """Read a definition; 400 if it is none."""
    try:
        return _fastavro().parse_schema(json.loads(definition))
    except (_fastavro().schema.SchemaParseException, *_BROKEN) as error:
        raise invalid(f"Invalid schema definition: {error}") from None


def fits(schema: Parsed, data: bytes, encoding: str) -> bool:
    """Say whether data in an encoding, JSON or BINARY, is a value of a schema and nothing more."""
    try:
        return _json_fits(schema, data) if encoding == "JSON" else _binary_fits(schema, data)
    except (_fastavro().validation.ValidationError, *_BROKEN):
        return False


def _json_fits(schema: Parsed, data: bytes) -> bool:
    sent = json.loads(data)
    (value,) = _fastavro().json_reader(io.StringIO(json.dumps(sent)), schema)
    written = io.StringIO()
    _fastavro().json_writer(written, schema, [value], validator=True)
    # Fields too many, or left out for their default, do not come back as they were.
    return bool(json.loads(written.getvalue()) == sent)


def _binary_fits(schema: Parsed, data: bytes) -> bool:
    stream = io.BytesIO(data)
    _fastavro().schemaless_reader(stream, schema, None)
    return not stream.read(1)
