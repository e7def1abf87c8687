"""A routing table for one function: method and path to handler, errors to problems.

functions-framework hands every path and every method to one callable. This is all the routing
that a dozen routes need; a web framework on top of Flask would cost more start time than code.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from functions.door import logs, problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request, Response

LARGEST_BODY = 64 * 1024
LARGEST_HEADERS = 32 * 1024
# What Cloud Run lets through at most over HTTP/1; a larger body never arrives whole.
_DRAIN = 32 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What a handler returns: a status, something that becomes JSON, and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One row of the table.

    Args:
        method: GET also answers HEAD.
        path: Literal segments and ``{parameters}``; ``/v1/deployments/{name}``.
        handler: Called with the request and the parameters of the path.
        query: The query parameters it knows; any other is refused.
    """

    method: str
    path: str
    handler: Callable[..., Answer]
    query: frozenset[str] = frozenset()

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path that fits, None when it does not fit."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.path))
        found = re.fullmatch(pattern, path)
        return None if found is None else found.groupdict()


def serve(function: str, routes: tuple[Route, ...], request: Request) -> Response:
    """Answer a request by the table; whatever is raised becomes a problem, here and nowhere else."""
    logs.begin(function, request.headers.get("X-Cloud-Trace-Context", ""))
    try:
        answer = _dispatch(routes, request)
    except problems.ProblemError as error:
        answer = _problem(error)
    except Exception as error:  # noqa: BLE001 - the boundary: nothing may leave as a bare 500
        answer = _problem(problems.unexpected(error))
    logs.write(
        "ERROR" if answer.status >= 500 else "INFO",  # noqa: PLR2004 - HTTP's server errors
        f"{request.method} {request.path[:200]} {answer.status}",
        status=answer.status,
    )
    return _response(answer)


def _dispatch(routes: tuple[Route, ...], request: Request) -> Answer:
    if sum(len(name) + len(value) for name, value in request.headers.items()) > LARGEST_HEADERS:
        raise problems.headers_too_large(LARGEST_HEADERS)
    method = "GET" if request.method == "HEAD" else request.method
    allowed: set[str] = set()
    for route in routes:
        parameters = route.match(request.path)
        if parameters is None:
            continue
        if route.method == method:
            _known_query(route, request)
            return route.handler(request, **parameters)
        allowed.add(route.method)
    if allowed:
        raise problems.method_not_allowed(request.method, sorted(allowed))
    raise problems.not_found(f"there is nothing at {request.path[:200]}")


def _known_query(route: Route, request: Request) -> None:
    unknown = sorted(set(request.args) - route.query)
    if unknown:
        known = ", ".join(sorted(route.query)) or "none"
        raise problems.invalid(
            f"unknown query parameter {json.dumps(unknown[0][:100])}; known here: {known}"
        )
    for name in request.args:
        if len(request.args.getlist(name)) > 1:
            raise problems.invalid(f"the query parameter {name} is given more than once")


def body(request: Request) -> bytes:
    """Return the body, refusing what is too large without keeping it.

    Raises:
        ProblemError: 413 over 64 KiB.
    """
    data: bytes = request.stream.read(LARGEST_BODY + 1)
    if len(data) <= LARGEST_BODY:
        return data
    # Reading on lets a client that only listens after sending hear the answer.
    drained = len(data)
    while drained < _DRAIN and (more := len(request.stream.read(LARGEST_BODY))):
        drained += more
    raise problems.too_large(LARGEST_BODY)


def json_object(request: Request) -> bytes:
    """Return the body, having looked that it is a JSON object, for a model to read.

    Stricter than Python's parser where that would let a mistake through: a field given twice,
    NaN, or text that is not Unicode is refused.

    Raises:
        ProblemError: 400, saying where the JSON ends to be JSON; 413 over 64 KiB.
    """
    data = body(request)
    if not data.strip():
        raise problems.invalid("the body is empty; a JSON object is expected")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse_constant
        )
        # A lone surrogate parses, but cannot be written anywhere afterwards.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise problems.invalid(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from error
    except UnicodeError as error:
        raise problems.invalid("the body is not valid UTF-8") from error
    except RecursionError as error:
        raise problems.invalid("the body is nested too deeply") from error
    except ValueError as error:
        # From Python's own limit: an integer of more than 4300 digits.
        raise problems.invalid(f"the body holds a number that is too long: {error}") from error
    if not isinstance(value, dict):
        raise problems.invalid("the body is JSON, but not an object; expected {...}")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise problems.invalid(f"the field {json.dumps(key[:100])} is given twice")
        found[key] = value
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise problems.invalid(f"the body is not JSON: {word} is no JSON number")


def _problem(error: problems.ProblemError) -> Answer:
    headers = {"Content-Type": problems.MEDIA_TYPE, **error.headers}
    return Answer(error.problem.status, error.problem.model_dump(exclude_none=True), headers)


def _response(answer: Answer) -> Response:
    from flask import Response as FlaskResponse

    # Two spaces: people read these with curl; the size does not matter at this scale.
    text = json.dumps(answer.body, indent=2, ensure_ascii=False) + "\n"
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        **answer.headers,
    }
    return FlaskResponse(text, status=answer.status, headers=headers)
