"""The body of a JSON request, read as strictly as Google's front ends read it, in their words.

The sentences are those of protobuf's JSON stream parser, which Google's front ends show as they are
(github.com/googlecodelabs/feedback/issues/441, github.com/seejohnrun/easy_translate/issues/59).
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, NoReturn

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from localcloud.transport import Request

MOST_JSON = 20 * 1024 * 1024
"""How large a JSON body may be; uploads have no limit here."""

DEEPEST = 100
"""How deep messages may be nested, which is protobuf's own limit."""

_AROUND = 20
_WORDS = {
    "Expecting value": "Unexpected token.",
    "Expecting property name enclosed in double quotes": "Expected an object key or }.",
    "Illegal trailing comma before end of object": "Expected an object key or }.",
    "Illegal trailing comma before end of array": "Expected a value.",
    "Expecting ':' delimiter": "Expected : between key:value pair.",
    "Unterminated string starting at": "Closing quote expected in string.",
    "Invalid \\escape": "Invalid escape sequence.",
    "Invalid \\uXXXX escape": "Illegal hex string.",
    "Invalid control character at": "Unexpected control character in string.",
    "Extra data": "Parsing terminated before end of input.",
}


def read_json(request: Request, *, style: str = "modern") -> Any:
    """Give what the body holds, ``{}`` for none at all; 400 or 413 in Google's words.

    ``style`` is that of the API's errors.
    """
    try:
        return _read(request)
    except ApiError as error:
        if style == "legacy" and error.code == 400:  # noqa: PLR2004 - HTTP
            error.reason = "parseError"
        raise


def _read(request: Request) -> Any:
    body = _unpacked(request)
    if not body.strip():
        return {}
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind and "json" not in kind and kind != "application/x-www-form-urlencoded":
        raise _refused(f"Unsupported content type {kind}; use application/json.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise _refused("Encountered non UTF-8 code points.") from None
    parsed = _parsed(text)
    # half of a surrogate pair can be escaped in JSON and is still no character
    if "\\ud" in text.lower() and not _is_text(parsed):
        raise _refused("Encountered non UTF-8 code points.")
    return parsed


def _unpacked(request: Request) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if len(request.body) > MOST_JSON:
        raise _oversized()
    if encoding in {"identity", ""}:
        return request.body
    if encoding not in {"gzip", "x-gzip"}:
        raise _refused(f"Unsupported content encoding {encoding}; use gzip.")
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = reader.decompress(request.body, MOST_JSON + 1)
    except zlib.error:
        raise _refused("The body is not what its Content-Encoding says.") from None
    if len(body) > MOST_JSON:
        raise _oversized()
    if not reader.eof:
        raise _refused("The body is not what its Content-Encoding says.")
    return body


def _parsed(text: str) -> Any:
    try:
        parsed = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _at(text, error) from None
    except ValueError as error:  # a number of thousands of digits
        raise _refused(f"Invalid number. {error}") from None
    except RecursionError:
        raise _too_deep() from None
    if _depth(parsed) > DEEPEST:
        raise _too_deep()
    return parsed


def _no_number(word: str) -> NoReturn:
    raise _refused(f"Unexpected token.\n{word}\n^")


def _at(text: str, error: json.JSONDecodeError) -> ApiError:
    at = error.pos
    if error.msg == "Expecting ',' delimiter":
        closing = "}" if _innermost(text[:at]) == "{" else "]"
        word = "key:value pair" if closing == "}" else "array value"
        sentence = f"Expected , or {closing} after {word}."
    else:
        sentence = _WORDS.get(error.msg, "Unexpected token.")
    if at >= len(text.rstrip()):
        sentence = "Unexpected end of string. " + sentence.replace(
            "Unexpected token", "Expected a value"
        )
    begin = max(0, at - _AROUND)
    shown = text[begin : at + _AROUND]
    return _refused(f"{sentence}\n{shown}\n{' ' * (at - begin)}^")


def _innermost(text: str) -> str:
    """Find the bracket that is open at the end of a beginning of JSON."""
    opened: list[str] = []
    quoted = escaped = False
    for sign in text:
        if quoted:
            quoted = escaped or sign != '"'
            escaped = sign == "\\" and not escaped
        elif sign == '"':
            quoted = True
        elif sign in "{[":
            opened.append(sign)
        elif sign in "}]" and opened:
            opened.pop()
    return opened[-1] if opened else "{"


def _depth(value: Any) -> int:
    """Count the levels of a value without recursion, which its depth could exhaust."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest


def _is_text(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(sentence: str) -> ApiError:
    return ApiError(400, f"Invalid JSON payload received. {sentence}")


def _too_deep() -> ApiError:
    return _refused(f"Message too deep. Max recursion depth of {DEEPEST} reached.")


def _oversized() -> ApiError:
    return ApiError(413, f"Request payload size exceeds the limit: {MOST_JSON} bytes.")
