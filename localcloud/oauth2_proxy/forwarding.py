"""A request on its way to the upstream, streamed both ways."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from localcloud.oauth2_proxy.options import Options

_CHUNK = 256 * 1024
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_SET_HERE = frozenset(
    {
        "x-forwarded-access-token",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-forwarded-user",
    }
)


def upstream_of(options: Options, path: str) -> str | None:
    """Choose the upstream with the longest path that a request's begins with."""
    fitting = [one for one in options["upstreams"] if path.startswith(urlsplit(one).path or "/")]
    return max(fitting, key=lambda one: len(urlsplit(one).path), default=None)


def forward(
    request: BaseHTTPRequestHandler, options: Options, session: dict[str, Any] | None
) -> None:
    """Hand a request on; OSError if the upstream does not answer before anything was sent."""
    upstream = upstream_of(options, request.path.partition("?")[0])
    if upstream is None:
        request.send_error(404)
        return
    parts = urlsplit(upstream)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=options["upstream_timeout"]
    )
    try:
        connection.putrequest(
            request.command, request.path, skip_host=True, skip_accept_encoding=True
        )
        host = request.headers["Host"] if options["pass_host_header"] else parts.netloc
        connection.putheader("Host", host or "")
        chunked = request.headers.get("Transfer-Encoding", "").lower() == "chunked"
        for name, value in _inward(request, options, session):
            connection.putheader(name, value)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in _body(request, chunked=chunked):
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
            connection.send(framed)
        if chunked:
            connection.send(b"0\r\n\r\n")
        _answer(request, connection.getresponse(), options, session)
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def _inward(
    request: BaseHTTPRequestHandler, options: Options, session: dict[str, Any] | None
) -> Iterator[tuple[str, str]]:
    own = identity(options, session)
    replaced = {name.lower() for name, _ in own} | _SET_HERE | _HOP_BY_HOP | {"host"}
    for name, value in request.headers.items():
        if name.lower() not in replaced:
            yield name, value
    yield from own


def identity(options: Options, session: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Give the headers that tell the upstream who asks."""
    made: list[tuple[str, str]] = []
    if session is None:
        return made
    if options["pass_user_headers"] or options["pass_basic_auth"]:
        made += [("X-Forwarded-User", session["user"]), ("X-Forwarded-Email", session["email"])]
    if options["pass_authorization_header"]:
        made.append(("Authorization", f"Bearer {session['token']}"))
    return made


def _body(request: BaseHTTPRequestHandler, *, chunked: bool) -> Iterator[bytes]:
    if chunked:
        while size := int(request.rfile.readline().split(b";")[0], 16):
            yield request.rfile.read(size)
            request.rfile.readline()
        while request.rfile.readline().strip():
            continue
        return
    left = int(request.headers.get("Content-Length") or 0)
    while left > 0 and (piece := request.rfile.read(min(_CHUNK, left))):
        left -= len(piece)
        yield piece


def _answer(
    request: BaseHTTPRequestHandler,
    answer: http.client.HTTPResponse,
    options: Options,
    session: dict[str, Any] | None,
) -> None:
    request.send_response_only(answer.status, answer.reason)
    for name, value in answer.getheaders():
        if name.lower() not in _HOP_BY_HOP:
            request.send_header(name, value)
    if options["set_xauthrequest"] and session is not None:
        request.send_header("X-Auth-Request-User", session["user"])
        request.send_header("X-Auth-Request-Email", session["email"])
    known = answer.getheader("Content-Length") is not None or request.command == "HEAD"
    bodyless = answer.status in {204, 304}
    if not known and not bodyless:
        request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    while piece := answer.read1(_CHUNK):
        framed = piece if known or bodyless else b"%x\r\n%b\r\n" % (len(piece), piece)
        request.wfile.write(framed)
    if not known and not bodyless:
        request.wfile.write(b"0\r\n\r\n")
