"""``time``: Unix times and their text."""

import re
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type, shown

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?([Zz]|[+-]\d{2}:\d{2})"
)


def parse_time(text: str) -> float:
    """Read an RFC 3339 time as Unix time.

    Raises:
        ValueError: if it is none.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        message = "not an RFC 3339 time"
        raise ValueError(message)
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in "Zz" else zone
    moment = datetime.fromisoformat(f"{day}T{clock}{zone}")
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    # One division keeps the microseconds exact to the nearest double.
    return (int(moment.timestamp()) * 1_000_000 + micro) / 1_000_000


@function("time.parse", "value")
def parse(value: Any) -> float:
    """Read an RFC 3339 time as Unix time."""
    text: str = expect_type(value, str, "value")
    try:
        return parse_time(text)
    except ValueError as error:
        raise value_error(f"value is not an RFC 3339 time: {shown(text)}") from error


@function("time.format", "seconds", "timezone?")
def format_(seconds: Any, timezone: Any = "") -> str:
    """Write a Unix time in a time zone, always with six decimals."""
    name: str = expect_type(timezone, str, "timezone")
    micro = round(expect_type(seconds, float, "seconds") * 1_000_000)
    try:
        zone = ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise value_error(f"unknown time zone '{name}'") from error
    try:
        moment = datetime.fromtimestamp(micro // 1_000_000, zone)
    except (ValueError, OverflowError, OSError) as error:
        raise value_error(f"{seconds} seconds is out of range") from error
    offset = moment.strftime("%z")
    shift = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:5]}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{micro % 1_000_000:06d}{shift}"
