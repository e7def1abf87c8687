"""``http``: requests."""

from collections.abc import Callable
from typing import Any, Final

from localcloud.workflows.api_calls.http_calls import METHODS, http_error, request, response, send
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import blocking
from localcloud.workflows.values import expect_type

_PARAMETERS: Final = (
    "url",
    "timeout?",
    "body?",
    "headers?",
    "query?",
    "auth?",
    "private_service_name?",
    "ca_certificate?",
)
_ERROR_STATUS: Final = 400


def _perform(frame: Frame, method: str, arguments: dict[str, Any]) -> Running:
    reply = yield from send(frame, request(method, arguments))
    answer = response(reply)
    if reply.status >= _ERROR_STATUS:
        raise http_error(answer)
    return answer


@blocking("http.request", "method", *_PARAMETERS)
def any_method(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Send a request with the method given."""
    method = str(expect_type(arguments["method"], str, "method")).upper()
    if method not in METHODS:
        raise value_error(f"method must be one of {', '.join(METHODS)}; got: {method}")
    return (yield from _perform(frame, method, arguments))


def _with_method(method: str) -> Callable[[Frame, dict[str, Any]], Running]:
    def call(frame: Frame, arguments: dict[str, Any]) -> Running:
        return _perform(frame, method, arguments)

    return call


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    blocking(f"http.{_method.lower()}", *_PARAMETERS)(_with_method(_method))
