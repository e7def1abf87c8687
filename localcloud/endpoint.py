"""For clients that take an endpoint and no proxy: which API a request to the door itself is for.

``http://127.0.0.1:PORT/sqladmin.googleapis.com/sql/v1beta4/…`` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.router import Router


def meant(router: Router, path: str) -> tuple[str, str] | None:
    """Return the host that is named and the path there, or None when no API is."""
    named, _, rest = path.removeprefix("/").partition("/")
    return (named, f"/{rest}") if router.serves(named) else None
