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
    429: ("Too Many Requests", "Rate exceeded."),
    500: ("Server Error", "The server encountered an error and could not complete your request."),
    503: ("Service Unavailable", "The service you requested is not available yet."),
    504: ("Gateway Timeout", "upstream request timeout"),
}


def page(status: int, path: str) -> bytes:
    """Return the HTML page for *status*."""
    title, text = _TEXT[status]
    shown = text.format(path=html.escape(path))
    return (
        '<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{status} {title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n"
        f"<h1>Error: {title}</h1>\n<h2>{shown}</h2>\n<h2></h2>\n</body></html>\n"
    ).encode()
