"""Google's public certificates, kept as long as Google says they may be."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_AGE = re.compile(r"max-age=(\d+)")
# Keys are published a day before they are used, so a few minutes can never be too long.
_LONGEST = 600
_kept: dict[str, _Kept] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class _Kept:
    status: int
    headers: Mapping[str, str]
    data: bytes
    until: float


class CachingRequest:
    """A transport for google-auth that remembers what it fetched."""

    def __call__(self, url: str, method: str = "GET", **options: Any) -> Any:
        """Answer from memory while the previous answer is still good."""
        from google.auth.transport.requests import Request

        with _lock:
            kept = _kept.get(url)
        if kept is not None and kept.until > time.monotonic():
            return kept
        answer = Request()(url, method=method, timeout=options.pop("timeout", 10), **options)
        stated = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
        age = min(int(stated.group(1)) if stated else 0, _LONGEST)
        if answer.status == HTTPStatus.OK and age:
            keep(url, answer.data, seconds=age)
        return answer


def keep(url: str, data: bytes, *, seconds: float) -> None:
    """Remember what a URL answered for so many seconds."""
    with _lock:
        _kept[url] = _Kept(HTTPStatus.OK, {}, data, time.monotonic() + seconds)


def request() -> CachingRequest:
    """Return the transport with which certificates are fetched."""
    return CachingRequest()


def forget() -> None:
    """Drop what is remembered; the next token fetches the certificates anew."""
    with _lock:
        _kept.clear()
