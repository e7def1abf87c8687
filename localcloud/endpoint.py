"""For clients that take an endpoint and no proxy: which API a request to the door itself is for.

``http://127.0.0.1:PORT/sqladmin.googleapis.com/…`` names it. Without a name the path decides, where
it is a path of one API alone, such as ``/sql/v1beta4/…``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.router import UnknownRouteError

if TYPE_CHECKING:
    from localcloud.router import Router


def meant(router: Router, verb: str, path: str) -> tuple[str, str] | None:
    """Return host and path that are meant, or None when no API is."""
    named, _, rest = path.removeprefix("/").partition("/")
    if router.serves(named):
        return named, f"/{rest}"
    hosts = {
        service.host for service in router.services if _takes(router, service.host, verb, path)
    }
    return (hosts.pop(), path) if len(hosts) == 1 else None


def _takes(router: Router, host: str, verb: str, path: str) -> bool:
    try:
        return router.find(host, verb, path).method is not None
    except UnknownRouteError:
        return False
