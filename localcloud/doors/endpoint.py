"""For clients that take an endpoint and no proxy: which API a request to the door itself is for.

``http://127.0.0.1:PORT/sqladmin.googleapis.com/sql/v1beta4/…`` names it. Where the path begins with
a word that is one API's own, as the oldest APIs have it, the name can be left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.documents.router import Router

OWN_WORD = {"sql": "sqladmin.googleapis.com", "storage": "storage.googleapis.com"}


def meant(router: Router, path: str) -> tuple[str, str] | None:
    """Return the host that is meant and the path there, or None when no API is."""
    named, _, rest = path.removeprefix("/").partition("/")
    if named in OWN_WORD and router.serves(OWN_WORD[named]):
        return OWN_WORD[named], path
    return (named, f"/{rest}") if router.serves(named) else None
