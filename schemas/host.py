"""Host: the name that a load balancer answers at, and what people write instead of one."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from schemas.model import DOMAIN_PATTERN

LONGEST = 237
"""253 are allowed for any name, and the one that proves the domain begins with _acme-challenge and a dot."""
LONGEST_LABEL = 63

NOBODYS = frozenset(
    {
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localhost",
        "onion",
        "private",
        "test",
    }
)
"""Endings that no authority issues a certificate for."""

_AN_ADDRESS = re.compile(r"[0-9.]+|\[?[0-9a-f:]*:[0-9a-f:]*\]?", re.IGNORECASE)
_OUTSIDE_DNS = re.compile(r"[^\x00-\x7f]")


def _plain(text: str) -> str:
    return text.strip().lower().rstrip(".")


def _host_in(text: str) -> str:
    host = re.sub(r"^[a-z]+://", "", text, flags=re.IGNORECASE)
    return re.split(r"[/?#]|:\d+(?=/|$)", host)[0]


def _a_url(text: str) -> str | None:
    host = _host_in(text)
    return f"give the name alone, which is {_plain(host)}" if host != text else None


def _an_address(text: str) -> str | None:
    if not _AN_ADDRESS.fullmatch(text):
        return None
    return "is an address; the load balancer gets one of its own, so give a name such as mlflow.example.com"


def _a_wildcard(text: str) -> str | None:
    if "*" not in text:
        return None
    below = text.replace("*", "").strip(".") or "example.com"
    return f"stands for many names, and a server answers at one; give it, such as mlflow.{below}"


def _not_of_dns(text: str) -> str | None:
    if not _OUTSIDE_DNS.search(text):
        return None
    return f"write it as DNS has it, in letters of ASCII{_in_ascii(text)}"


def _in_ascii(text: str) -> str:
    # Python knows the rules of 2003, in which these letters were others.
    if any(letter in text for letter in "ßς\u200c\u200d"):
        return ""
    try:
        return f": {_plain(text).encode('idna').decode()}"
    except UnicodeError:
        return ""


def _otherwise_spelled(text: str) -> str | None:
    plain = _plain(text)
    return (
        f"write it {plain}, in small letters and without a dot at its end"
        if plain != text
        else None
    )


def _a_part_of_one(text: str) -> str | None:
    if "." in text:
        return None
    return f"is no whole name; give it with the domain that it lies in, such as {text}.example.com"


def _an_underscore(text: str) -> str | None:
    if "_" not in text:
        return None
    return f"has an underscore, which names of servers cannot have; use {text.replace('_', '-')}"


def _too_long(text: str) -> str | None:
    if len(text) > LONGEST:
        return f"has {len(text)} characters, and with the record that proves it {LONGEST} fit"
    label = max(text.split("."), key=len)
    if len(label) <= LONGEST_LABEL:
        return None
    return f"has {len(label)} characters between two dots, where {LONGEST_LABEL} are the most"


def _nobodys(text: str) -> str | None:
    ending = text.rpartition(".")[2]
    if ending not in NOBODYS:
        return None
    return (
        f"ends in .{ending}, for which nobody issues certificates; use a domain that is registered "
        "on the internet, or no load_balancer"
    )


MISTAKES: tuple[Callable[[str], str | None], ...] = (
    _an_address,
    _a_url,
    _a_wildcard,
    _not_of_dns,
    _otherwise_spelled,
    _a_part_of_one,
    _an_underscore,
    _too_long,
    _nobodys,
)
"""What people write, each with what to write instead; the first that fits is told."""


def _is_a_host(text: object) -> object:
    if isinstance(text, str) and _plain(_host_in(text)):
        words = next(filter(None, (mistake(text) for mistake in MISTAKES)), None)
        if words is not None:
            raise PydanticCustomError(
                "host", "{text} - {words}", {"text": text[:80], "words": words}
            )
    return text


Host = Annotated[
    str, Field(pattern=DOMAIN_PATTERN, max_length=LONGEST), BeforeValidator(_is_a_host)
]
"""A name that a certificate can be issued for."""
