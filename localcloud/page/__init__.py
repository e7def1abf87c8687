"""The status page: what exists, what runs and what was asked, for a browser on this machine."""

from __future__ import annotations

import hmac
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from localcloud.cloud import OWNER
from localcloud.errors import ApiError
from localcloud.page import activity, catalog
from localcloud.transport import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.transport import Request

HOSTS = frozenset({"127.0.0.1", "localhost"})
"""Under which names a browser asks for it, on the door's own port."""

_FILES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "steps.js": ("steps.js", "text/javascript; charset=utf-8"),
}
_CLOSED = "This is the local cloud. `python -m localcloud status` prints the link of its page.\n"
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Page:
    """Answers GETs below ``/KEY/``; the key is in the link, so strangers see nothing."""

    def __init__(self, cloud: Cloud, key: str) -> None:
        """Show one cloud to whoever knows the key."""
        self._cloud = cloud
        self._key = key
        self._views: dict[str, Callable[[dict[str, str]], Any]] = {
            "summary": lambda _: {
                "project": cloud.project,
                "number": cloud.number,
                "region": cloud.region,
                "now": cloud.clock.rfc3339(),
                "calls": len(cloud.calls),
                "services": catalog.services(cloud),
            },
            "resources": lambda given: catalog.resources(cloud, OWNER, _parent(given)),
            "operations": lambda _: activity.operations(cloud),
            "calls": lambda _: activity.calls(cloud),
            "executions": lambda _: activity.executions(cloud),
            "entries": lambda given: activity.entries(
                cloud, given["execution"], given.get("parent", "0")
            ),
        }

    def handle(self, request: Request) -> Response:
        """Answer a browser."""
        key, slash, rest = request.path.removeprefix("/").partition("/")
        if not slash or not hmac.compare_digest(key.encode(), self._key.encode()):
            return Response(404, {"content-type": "text/plain", **_HEADERS}, _CLOSED.encode())
        if request.method not in {"GET", "HEAD"}:
            return json_response(405, {"error": "this page only shows"}, _HEADERS)
        if rest in _FILES:
            name, kind = _FILES[rest]
            body = files(__package__).joinpath(name).read_bytes()
            return Response(200, {"content-type": kind, **_HEADERS}, body)
        view = self._views.get(rest)
        if view is None:
            return json_response(404, {"error": f"known: {', '.join(self._views)}"}, _HEADERS)
        try:
            return json_response(200, view(dict(request.query)), _HEADERS, pretty=False)
        except (LookupError, ApiError) as error:
            return json_response(400, {"error": str(error)}, _HEADERS)


def _parent(given: dict[str, str]) -> dict[str, Any] | None:
    """Read which resource is asked about: its API, name, and ``p.NAME`` path parameters."""
    if "name" not in given:
        return None
    return {
        "api": given["api"],
        "version": given["version"],
        "name": given["name"],
        "params": {k.removeprefix("p."): v for k, v in given.items() if k.startswith("p.")},
    }
