"""``text``: strings, patterns (RE2, leftmost-longest) and URL encoding."""

import codecs
import re
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_to_bytes

import re2

from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type, shown

# Python's codecs for text that are no charsets of IANA's list.
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.longest_match = True
    options.log_errors = False
    return re2.compile(pattern, options)


def _pattern(regexp: Any) -> Any:
    pattern: str = expect_type(regexp, str, "regexp")
    try:
        return _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode() if isinstance(reason, bytes) else reason
        raise value_error(f"invalid regular expression {shown(pattern)}: {reason}") from error


def _codec(charset: Any) -> str:
    name: str = expect_type(charset, str, "charset")
    try:
        "".encode(name)  # codecs from bytes to bytes refuse this
        codec = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise value_error(f"unknown charset {shown(name)}") from error
    if codec in _NO_CHARSETS:
        raise value_error(f"unknown charset {shown(name)}")
    return codec


@function("text.encode", "text", "charset?")
def encode(text: Any, charset: Any = "UTF-8") -> bytes:
    """Encode a string as bytes."""
    content: str = expect_type(text, str, "text")
    try:
        return content.encode(_codec(charset))
    except UnicodeError as error:
        raise value_error(f"text cannot be encoded as {charset}") from error


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("workflows-replace", _replaced)


@function("text.decode", "data", "charset?")
def decode(data: Any, charset: Any = "UTF-8") -> str:
    """Decode bytes as a string; each byte that cannot be decoded becomes U+FFFD.

    So says its page, docs/reference/stdlib/text/decode.
    """
    content: bytes = expect_type(data, bytes, "data")
    return content.decode(_codec(charset), "workflows-replace")


@function("text.find_all", "source", "substr")
def find_all(source: Any, substr: Any) -> list[int]:
    """List where a substring begins, not counting overlaps."""
    text: str = expect_type(source, str, "source")
    wanted: str = expect_type(substr, str, "substr")
    if not wanted:
        raise value_error("substr must not be empty")
    return [found.start() for found in re.finditer(re.escape(wanted), text)]


@function("text.find_all_regex", "source", "regexp")
def find_all_regex(source: Any, regexp: Any) -> list[dict[str, Any]]:
    """List the matches of a pattern, each with its index."""
    text: str = expect_type(source, str, "source")
    return [
        {"index": found.start(), "match": found.group(0)}
        for found in _pattern(regexp).finditer(text)
    ]


@function("text.match_regex", "source", "regexp")
def match_regex(source: Any, regexp: Any) -> bool:
    """Say whether a pattern matches anywhere."""
    text: str = expect_type(source, str, "source")
    return _pattern(regexp).search(text) is not None


@function("text.replace_all", "source", "substr", "repl")
def replace_all(source: Any, substr: Any, repl: Any) -> str:
    """Replace a substring everywhere; an empty one is found before and after each character.

    So says its page, docs/reference/stdlib/text/replace_all.
    """
    text: str = expect_type(source, str, "source")
    wanted: str = expect_type(substr, str, "substr")
    return text.replace(wanted, expect_type(repl, str, "repl"))


@function("text.replace_all_regex", "source", "regexp", "repl")
def replace_all_regex(source: Any, regexp: Any, repl: Any) -> str:
    """Replace all matches of a pattern by a text; groups cannot be referred to in it."""
    text: str = expect_type(source, str, "source")
    replacement: str = expect_type(repl, str, "repl")
    return str(_pattern(regexp).sub(lambda _match: replacement, text))


@function("text.split", "source", "separator")
def split(source: Any, separator: Any) -> list[str]:
    """Split a string at a separator."""
    text: str = expect_type(source, str, "source")
    at: str = expect_type(separator, str, "separator")
    return text.split(at) if at else list(text)


@function("text.substring", "source", "start", "end")
def substring(source: Any, start: Any, end: Any) -> str:
    """Give the characters from start up to but not including end."""
    text: str = expect_type(source, str, "source")
    first: int = expect_type(start, int, "start")
    last: int = expect_type(end, int, "end")
    if not 0 <= first <= last <= len(text):
        raise value_error(
            f"no substring from {first} to {last} in a text of {len(text)} characters"
        )
    return text[first:last]


@function("text.to_lower", "source")
def to_lower(source: Any) -> str:
    """Give the text in lower case."""
    return str(expect_type(source, str, "source")).lower()


@function("text.to_upper", "source")
def to_upper(source: Any) -> str:
    """Give the text in upper case."""
    return str(expect_type(source, str, "source")).upper()


@function("text.url_encode", "source")
def url_encode(source: Any) -> str:
    """Encode everything but letters, digits and ``-_.~`` as percent escapes."""
    return quote(expect_type(source, str, "source"), safe="")


@function("text.url_encode_plus", "source")
def url_encode_plus(source: Any) -> str:
    """Encode as ``url_encode`` does, but a space as a plus sign."""
    return quote_plus(expect_type(source, str, "source"), safe="")


@function("text.url_decode", "source")
def url_decode(source: Any) -> str:
    """Turn percent escapes and plus signs back into characters."""
    text: str = expect_type(source, str, "source")
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise value_error(f"invalid percent escape in {shown(text)}")
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeError as error:
        raise value_error("the decoded text is not UTF-8") from error
