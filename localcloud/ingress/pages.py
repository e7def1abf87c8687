"""What Google's front end says when a request does not reach the container."""

from __future__ import annotations

import html

_TEXT = {
    400: ("Bad Request", "Your client has issued a malformed or illegal request."),
    401: (
        "Unauthorized",
        "Your client does not have permission to the requested URL <code>{path}</code>.",
    ),
    403: (
        "Forbidden",
        "Your client does not have permission to get URL <code>{path}</code> from this server.",
    ),
    404: ("Page not found", "The requested URL was not found on this server."),
    413: ("Request Entity Too Large", "Your client issued a request that was too large."),
    500: ("Server Error", "The server encountered an error and could not complete your request."),
    503: ("Service Unavailable", "The service you requested is not available yet."),
}

# These two are no pages at Google: the balancer in front of the instances says them, as text.
_PLAIN = {429: "Rate exceeded.", 504: "upstream request timeout"}


def answer(status: int, path: str) -> tuple[str, bytes]:
    """Return content type and body of what the client sees for *status*."""
    if status in _PLAIN:
        return "text/plain", _PLAIN[status].encode()
    return "text/html; charset=UTF-8", page(status, path)


def page(status: int, path: str) -> bytes:
    """Return the HTML page for *status*."""
    title, text = _TEXT[status]
    shown = text.format(path=html.escape(path))
    return (
        '<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{status} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>Error: {title}</h1>\n<h2>{shown}</h2>\n<h2></h2>\n</body></html>\n"
    ).encode()
