"""Which other sites' pages may use a bucket: its CORS rules, carried out on the XML API.

The JSON API lets all pages in; see cloud.google.com/storage/docs/cross-origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.service import Download, Reply
from localcloud.services.storage import shelf
from localcloud.services.storage.depots import depot_of

if TYPE_CHECKING:
    from localcloud.service import Call


def allowed(call: Call, bucket: str, found: Reply | Download) -> Reply | Download:
    """Return an answer with the headers that let the asking page read it, if a rule does."""
    origin = call.headers.get("origin")
    rule = _rule(call, bucket, origin, call.http_method) if origin else None
    if rule is None or origin is None:
        return found
    more = {
        "access-control-allow-origin": "*" if "*" in rule.get("origin", []) else origin,
        "access-control-expose-headers": ", ".join(rule.get("responseHeader", [])),
        "vary": "Origin",
    }
    found.headers.update({name: value for name, value in more.items() if value})
    return found


def preflight(call: Call, bucket: str) -> Reply:
    """Answer a browser that asks whether it may send a request."""
    origin = call.headers.get("origin", "")
    method = call.headers.get("access-control-request-method", "")
    rule = _rule(call, bucket, origin, method)
    if rule is None:
        return Reply(200, b"")
    headers = {
        "access-control-allow-origin": "*" if "*" in rule.get("origin", []) else origin,
        "access-control-allow-methods": ",".join(rule.get("method", [])),
        "access-control-allow-headers": ",".join(rule.get("responseHeader", [])),
        "access-control-max-age": str(rule.get("maxAgeSeconds", 3600)),
        "vary": "Origin",
    }
    return Reply(200, b"", {name: value for name, value in headers.items() if value})


def _rule(call: Call, bucket: str, origin: str, method: str) -> dict[str, Any] | None:
    found = shelf.find_bucket(depot_of(call.cloud), bucket)
    for rule in (found.resource.get("cors") or []) if found is not None else []:
        if {"*", origin} & set(rule.get("origin", [])) and {"*", method} & set(
            rule.get("method", [])
        ):
            return dict(rule)
    return None
