"""How connectors call an API: parameters, retries, one deadline for the whole call."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from localcloud.workflows import limits
from localcloud.workflows.api_calls import retry_rules
from localcloud.workflows.api_calls.http_calls import (
    encode_body,
    http_error,
    response,
    scopes_of,
    send,
    with_user_agent,
)
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Auth, HttpRequest, Running, Sleep
from localcloud.workflows.errors import WorkflowError, failure, value_error
from localcloud.workflows.values import expect_type

PARAMETERS: Final = ("timeout", "polling_policy", "skip_polling", "scopes")
_POLLING: Final = ("initial_delay", "multiplier", "max_delay")
_ERROR_STATUS: Final = 400
_RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Call:
    """What ``connector_params`` say."""

    timeout: float = limits.CONNECTOR_TIMEOUT
    initial_delay: float = 1.0
    multiplier: float = 1.25
    max_delay: float = 60.0
    skip_polling: bool = False
    scopes: tuple[str, ...] = scopes_of(None)

    @classmethod
    def of(cls, params: Any) -> "Call":
        """Check connector_params."""
        if params is None:
            return cls()
        given: dict[Any, Any] = expect_type(params, dict, "connector_params")
        _refuse_unknown(given, PARAMETERS, "connector_params")
        polling: dict[Any, Any] = expect_type(
            given.get("polling_policy", {}), dict, "polling_policy"
        )
        _refuse_unknown(polling, _POLLING, "polling_policy")
        timeout = expect_type(given.get("timeout", limits.CONNECTOR_TIMEOUT), float, "timeout")
        initial = expect_type(polling.get("initial_delay", 1.0), float, "initial_delay")
        multiplier = expect_type(polling.get("multiplier", 1.25), float, "multiplier")
        longest = expect_type(polling.get("max_delay", 60.0), float, "max_delay")
        if not 0 < timeout <= limits.YEAR:
            raise value_error(f"timeout must be more than 0 and at most a year; got: {timeout}")
        if initial < 0 or multiplier <= 0 or longest < 0:
            raise value_error("the values of polling_policy must not be negative")
        skip = expect_type(given.get("skip_polling", False), bool, "skip_polling")
        scopes = scopes_of(given.get("scopes"))
        return cls(timeout, initial, multiplier, longest, skip, scopes)


def _refuse_unknown(given: dict[Any, Any], allowed: tuple[str, ...], what: str) -> None:
    for key in given:
        if key not in allowed:
            raise value_error(f"unknown key '{key}' in {what}")


def delays(call: Call) -> Iterator[float]:
    """Give the waits between polls."""
    delay = call.initial_delay
    while True:
        yield min(delay, call.max_delay)
        delay = min(delay * call.multiplier, call.max_delay)


class Deadline:
    """When a connector call has to be over."""

    def __init__(self, frame: Frame, seconds: float) -> None:
        """Begin now."""
        self.frame = frame
        self.seconds = seconds
        self.end = frame.run.now() + seconds

    def left(self) -> float:
        """Give the seconds that are left; raise TimeoutError if there are none."""
        left = self.end - self.frame.run.now()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> WorkflowError:
        """Build the error."""
        return failure("TimeoutError", f"connector call did not finish in {self.seconds} seconds")

    def sleep(self, seconds: float) -> Running:
        """Wait, but not beyond the end."""
        left = self.left()
        yield Sleep(min(seconds, left))
        if seconds >= left:
            raise self.over()


def call_api(
    frame: Frame,
    method: str,
    url: str,
    body: Any,
    *,
    call: Call,
    deadline: Deadline,
    headers: dict[str, str] | None = None,
) -> Running:
    """Send a request with the token of the workflow, retry it by its method, give the body."""
    retriable = retry_rules.idempotent if method == "GET" else retry_rules.non_idempotent
    headers = dict(headers or {})
    content = encode_body(body, headers)
    delay = 1.0
    for left in range(_RETRIES, -1, -1):
        request = HttpRequest(
            method,
            url,
            with_user_agent(headers),
            content,
            min(deadline.left(), limits.CONNECTOR_REQUEST_TIMEOUT),
            Auth("OAuth2", scopes=call.scopes),
        )
        try:
            answer = response((yield from send(frame, request)))
            if answer["code"] < _ERROR_STATUS:
                break
            raise http_error(answer)
        except WorkflowError as error:
            if not error.catchable or left == 0 or not retriable(error.value):
                raise
        yield from deadline.sleep(delay)
        delay *= 1.25
    return answer["body"]
