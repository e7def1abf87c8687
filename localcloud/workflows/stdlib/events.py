"""``events``: endpoints that others call, and waiting for those calls."""

from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import AwaitCallback, CallbackReceived, Running
from localcloud.workflows.errors import failure, type_error, value_error
from localcloud.workflows.running.machine_view import Run
from localcloud.workflows.stdlib.registry import blocking, context_function
from localcloud.workflows.values import expect_type, shown

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")


@context_function("events.create_callback_endpoint", "http_callback_method?")
def create_callback_endpoint(run: Run, http_callback_method: Any = "POST") -> dict[str, Any]:
    """Make an endpoint that takes one HTTP method."""
    method: str = expect_type(http_callback_method, str, "http_callback_method")
    if method not in METHODS:
        raise value_error(f"http_callback_method '{method}' is not one of {', '.join(METHODS)}")
    return {"url": run.create_callback(method)}


@blocking("events.await_callback", "callback", "timeout?")
def await_callback(frame: Frame, arguments: dict[str, Any]) -> Running:
    """Wait for a call of an endpoint."""
    callback = arguments["callback"]
    if type(callback) is not dict or type(callback.get("url")) is not str:
        raise type_error(f"callback must be an endpoint; got: {shown(callback)}")
    timeout = limits.CALLBACK_TIMEOUT
    if arguments.get("timeout") is not None:
        timeout = float(expect_type(arguments["timeout"], float, "timeout"))
    if not 0 < timeout <= limits.YEAR:
        raise value_error(f"timeout must be between 0 and a year; got: {timeout}")
    frame.run.external += 1
    outcome = yield AwaitCallback(callback["url"], timeout)
    if not isinstance(outcome, CallbackReceived):
        raise failure("TimeoutError", "timed out waiting for callback")
    return {
        "http_request": outcome.http_request,
        "received_time": outcome.received_time,
        "type": outcome.kind,
    }
