"""What the records of each type look like."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from localcloud.services.dns import names

if TYPE_CHECKING:
    from collections.abc import Callable

_TXT = re.compile(
    r'(?:"(?:[^"\\]|\\.){0,255}"|[^\s"]{1,255})(?:\s+(?:"(?:[^"\\]|\\.){0,255}"|[^\s"]{1,255}))*'
)
_CAA = re.compile(r'(0|128) (issue|issuewild|iodef|issuemail) "?[^"\s]*"?(\s[^"]*"?)?')
_NUMBER = re.compile(r"\d{1,5}")


def _address(version: int) -> Callable[[str], bool]:
    def valid(data: str) -> bool:
        try:
            return ipaddress.ip_address(data).version == version
        except ValueError:
            return False

    return valid


def _host(data: str) -> bool:
    return names.DOMAIN.fullmatch(data) is not None and not data.startswith("*")


def _numbered(count: int) -> Callable[[str], bool]:
    """Some numbers, and then a host: MX has one, SRV three."""

    def valid(data: str) -> bool:
        parts = data.split()
        return (
            len(parts) == count + 1
            and all(_NUMBER.fullmatch(part) for part in parts[:-1])
            and (_host(parts[-1]) or parts[-1] == ".")
        )

    return valid


def _authority(data: str) -> bool:
    parts = data.split()
    return (
        len(parts) == 7  # noqa: PLR2004 - as RFC 1035 has it
        and all(_host(part) for part in parts[:2])
        and all(part.isdigit() for part in parts[2:])
    )


VALID: dict[str, Callable[[str], bool]] = {
    "A": _address(4),
    "AAAA": _address(6),
    "CAA": lambda data: _CAA.fullmatch(data) is not None,
    "CNAME": _host,
    "MX": _numbered(1),
    "NS": _host,
    "PTR": _host,
    "SOA": _authority,
    "SRV": _numbered(3),
    "TXT": lambda data: _TXT.fullmatch(data) is not None,
}
"""The types there are; any other is refused."""

SINGLE = frozenset({"CNAME", "SOA"})
"""Types of which a name has at most one record."""


def written(kind: str, data: str) -> str:
    """Return record data as it is stored: texts have quotes around them."""
    if kind == "TXT" and not data.startswith('"'):
        return f'"{data}"'
    return data.lower() if kind in {"CNAME", "NS", "PTR"} else data
