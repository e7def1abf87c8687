"""``json``: values to JSON and back."""

from typing import Any

from localcloud.workflows.errors import type_error, value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type, from_json, shown, to_json


@function("json.decode", "data")
def decode(data: Any) -> Any:
    """Decode JSON text, given as bytes or as a string."""
    if type(data) not in (bytes, str):
        raise type_error(f"data must be bytes or a string; got: {shown(data)}")
    try:
        return from_json(data)
    except (ValueError, RecursionError) as error:
        raise value_error(f"data is not JSON: {error}") from error


def _text(data: Any, indent: Any) -> str:
    if type(indent) is bool:
        return to_json(data, indent="    " if indent else None)
    options: dict[Any, Any] = expect_type(indent, dict, "indent")
    for key in options:
        if key not in ("prefix", "indent"):
            raise value_error(f"unknown option '{key}' of indent")
    step = expect_type(options.get("indent", "    "), str, "indent.indent")
    prefix = expect_type(options.get("prefix", ""), str, "indent.prefix")
    return to_json(data, indent=step, prefix=prefix)


@function("json.encode", "data", "indent?")
def encode(data: Any, indent: Any = False) -> bytes:
    """Encode a value as JSON bytes."""
    return _text(data, indent).encode()


@function("json.encode_to_string", "data", "indent?")
def encode_to_string(data: Any, indent: Any = False) -> str:
    """Encode a value as JSON text."""
    return _text(data, indent)
