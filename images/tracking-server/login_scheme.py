"""MLflow's login knows names and passwords only; whoever brings something else is told so here.

MLflow takes any Authorization header for one with a password: a token without one, as programs send
it for Google's own doors, would be an error inside the server instead of an answer.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

CHALLENGE = ("WWW-Authenticate", 'Basic realm="mlflow"')
HEADERS = [("Content-Type", "application/json"), CHALLENGE]
BODY = json.dumps(
    {
        "error_code": "UNAUTHENTICATED",
        "message": "this server asks for a name and a password (Basic); "
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
    }
).encode()
"""In the form of MLflow's own errors, which its client shows."""


def is_basic(authorization: str) -> bool:
    """Tell whether an Authorization header is of the scheme that MLflow's login reads."""
    return authorization.partition(" ")[0].lower() == "basic"


def basic_only_asgi(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return an ASGI application that sees no Authorization header of another scheme."""

    async def basic_only(scope: dict[str, Any], receive: Any, send: Any) -> None:
        sent = [value for name, value in scope.get("headers", ()) if name == b"authorization"]
        if all(is_basic(value.decode("latin1")) for value in sent):
            await application(scope, receive, send)
            return
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    return basic_only


def basic_only_wsgi(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return the same for WSGI."""

    def basic_only(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        authorization = environ.get("HTTP_AUTHORIZATION")
        if authorization is None or is_basic(authorization):
            answer: Iterable[bytes] = application(environ, start_response)
            return answer
        start_response("401 Unauthorized", HEADERS)
        return [BODY]

    return basic_only
