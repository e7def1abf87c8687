"""Google's discovery documents, where clients that bring none of their own look for them.

An API gives its own at ``/$discovery/rest?version=v1``, and ``www.googleapis.com`` gives all of
them, as developers.google.com/discovery has it. Both are open to everybody.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from localcloud.errors import not_found
from localcloud.transport import Response, json_response

if TYPE_CHECKING:
    from localcloud.documents.router import Router
    from localcloud.transport import Request

_OF_ONE = "/$discovery/rest"
_OF_ALL = re.compile(r"/discovery/v1/apis/([^/]+)/([^/]+)/rest")


def document(router: Router, request: Request) -> Response | None:
    """Answer a request for a discovery document; None for every other request."""
    path = unquote(request.path)
    among_all = _OF_ALL.fullmatch(path) if request.host == "www.googleapis.com" else None
    if request.method.upper() != "GET" or (path != _OF_ONE and among_all is None):
        return None
    if among_all is not None:
        api, version = among_all[1], among_all[2]
        services = [service for service in router.services if service.api == api]
    else:
        version = dict(request.query).get("version", "")
        # what all APIs share, such as operations, answers on their hosts too
        own = (service for service in router.services if service.host == request.host)
        services = list(own) or router.of_host(request.host)
    for service in services:
        if service.version == version:
            text = router.document(service).file.read_bytes()
            return Response(200, {"content-type": "application/json; charset=UTF-8"}, text)
    name = services[0].host if services else request.host
    error = not_found(
        f"Discovery document not found for API service: {name} format: rest version: {version}"
    )
    return json_response(error.code, error.render("modern"))
