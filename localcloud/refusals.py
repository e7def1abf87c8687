"""Refusals that come before any handler, in Google's words."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.errors import ApiError, error_info
from localcloud.transport import Response

if TYPE_CHECKING:
    from localcloud.documents.discovery import Method
    from localcloud.service import Service

_NOT_FOUND = "The requested URL <code>{path}</code> was not found on this server."
_NOT_ALLOWED = (
    "The request method <code>{verb}</code> is inappropriate for the URL <code>{path}</code>."
)


def service_disabled(service: Service, *, title: str, number: str) -> ApiError:
    """403 for an API the project has not enabled."""
    return api_disabled(service.host, title=title, number=number, errors=service.errors)


def api_disabled(host: str, *, title: str, number: str, errors: str = "modern") -> ApiError:
    """403 for an API by its host, which need not be the one that was called."""
    console = "https://console.developers.google.com/apis/api"
    link = f"{console}/{host}/overview?project={number}"
    return ApiError(
        403,
        f"{title} has not been used in project {number} before or it is disabled. Enable it by "
        f"visiting {link} then retry. If you enabled this API recently, wait a few minutes for "
        "the action to propagate to our systems and retry.",
        reason="accessNotConfigured" if errors == "legacy" else None,
        details=[
            error_info(
                "SERVICE_DISABLED",
                service=host,
                consumer=f"projects/{number}",
                serviceTitle=title,
                activationUrl=link,
            )
        ],
    )


def insufficient_scopes(service: Service, method: Method) -> ApiError:
    """403 for a token that was made for something else."""
    scopes = " ".join(sorted(method.scopes))
    challenge = (
        f'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="{scopes}"'
    )
    return ApiError(
        403,
        "Request had insufficient authentication scopes.",
        reason="insufficientPermissions" if service.errors == "legacy" else None,
        details=[
            error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=service.host, method=method.id)
        ],
        headers={"www-authenticate": challenge},
    )


def anonymous(service: Service, permission: str) -> ApiError:
    """401 for a caller without a token where not everybody may call."""
    return ApiError(
        401,
        f"Anonymous caller does not have {permission} access to the resource. "
        f"Permission '{permission}' denied on resource (or it may not exist).",
        reason="required" if service.errors == "legacy" else None,
    )


def page(status: int, verb: str, path: str) -> Response:
    """Give the HTML page of a URL or verb that no API has."""
    name = {404: "Not Found", 405: "Method Not Allowed"}[status]
    words = _NOT_FOUND if status == 404 else _NOT_ALLOWED  # noqa: PLR2004 - HTTP
    text = words.format(path=html.escape(quote(path)), verb=html.escape(verb))
    body = (
        f"<!DOCTYPE html>\n<html lang=en>\n<title>Error {status} ({name})!!1</title>\n"
        f"<p><b>{status}.</b> <ins>That's an error.</ins>\n<p>{text} <ins>That's all we know.</ins>\n"
    )
    return Response(status, {"content-type": "text/html; charset=UTF-8"}, body.encode())
