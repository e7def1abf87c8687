"""Every refusal of the functions, made here and raised; ``functions.door.http`` renders it.

A problem says what was found, what was wanted and what to do about it. Its type is a name
that programs may compare; its title never changes for a type.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.door import logs
from schemas import problem as shapes
from schemas.problem import FieldError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel, ValidationError

MEDIA_TYPE = "application/problem+json"


KINDS: dict[str, tuple[int, str]] = {
    "invalid-request": (400, "The request is not valid"),
    "unauthenticated": (401, "The caller is not known"),
    "forbidden": (403, "The caller may not do this"),
    "limit-reached": (403, "The team has reached a limit"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "brought-secret": (400, "A secret that the team brought cannot be used"),
    "conflict": (409, "The deployment exists with other content"),
    "busy": (409, "Another operation is in progress"),
    "overtaken": (409, "The request has been overtaken by a newer one"),
    "name-taken": (409, "The name is taken"),
    "domain-taken": (409, "Another deployment has this domain"),
    "not-as-needed": (409, "Something that is there already is not as needed"),
    "too-large": (413, "The body is too large"),
    "headers-too-large": (431, "The headers are too large"),
    "unexpected": (500, "Berth failed"),
    "google-refused": (502, "Google Cloud refused a call of Berth's"),
    "unavailable": (503, "Something Berth needs does not answer"),
    "not-installed": (503, "Berth is not installed completely"),
}
"""Each kind of problem the functions raise: its HTTP status and its title."""


class ProblemError(Exception):
    """Ends a request with a problem instead of an answer."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


def make(
    kind: str,
    detail: str,
    *,
    cause: str | None = None,
    remedy: str | None = None,
    errors: Sequence[FieldError] = (),
    instance: str | None = None,
    resumable: bool = False,
    headers: Mapping[str, str] | None = None,
) -> ProblemError:
    """Make the error for one kind of problem, with what was found this time."""
    status, title = KINDS[kind]
    problem = Problem(
        type=f"urn:berth:problem:{kind}",
        title=title,
        status=status,
        detail=_sentence(detail),
        cause=cause,
        remedy=remedy,
        errors=tuple(errors),
        instance=instance,
        resumable=resumable,
    )
    return ProblemError(problem, headers)


def invalid(detail: str, *, pointer: str = "", allowed: Sequence[str] = ()) -> ProblemError:
    """Make a 400 about one place of the request."""
    error = FieldError(pointer=pointer, message=_sentence(detail), allowed=tuple(allowed))
    return ProblemError(shapes.invalid((error,)))


def invalid_model(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    """Make a 400 with one entry for each place that a model could not accept."""
    return ProblemError(shapes.from_validation_error(error, model))


def unauthenticated(detail: str, *, remedy: str, challenge: str) -> ProblemError:
    """Make a 401; the challenge is what RFC 6750 wants in WWW-Authenticate."""
    return make("unauthenticated", detail, remedy=remedy, headers={"WWW-Authenticate": challenge})


def forbidden(detail: str, *, remedy: str | None = None) -> ProblemError:
    """Make a 403 that names the rule."""
    return make("forbidden", detail, remedy=remedy)


def not_found(detail: str) -> ProblemError:
    """Make a 404."""
    return make("not-found", detail)


def method_not_allowed(method: str, allowed: Sequence[str]) -> ProblemError:
    """Make a 405 with the methods that are allowed."""
    names = ", ".join(allowed)
    return make(
        "method-not-allowed",
        f"{method[:20]} is not allowed here; allowed: {names}",
        headers={"Allow": names},
    )


def too_large(most: int) -> ProblemError:
    """Make a 413."""
    return make("too-large", f"the body is larger than {most // 1024} KiB")


def headers_too_large(most: int) -> ProblemError:
    """Make a 431."""
    return make("headers-too-large", f"the headers are larger than {most // 1024} KiB")


def unavailable(detail: str, *, cause: str | None = None) -> ProblemError:
    """Make a 503 that invites to try again."""
    return make(
        "unavailable",
        detail,
        cause=cause,
        remedy="Send the same request again in a few seconds; repeating it is safe.",
        resumable=True,
        headers={"Retry-After": "5"},
    )


def not_installed(detail: str, *, cause: str | None = None) -> ProblemError:
    """Make a 503 that sends the operator to the installer."""
    return make(
        "not-installed",
        detail,
        cause=cause,
        remedy="Run `python -m install apply` for this project; it may be repeated.",
    )


def unexpected(error: Exception) -> ProblemError:
    """Turn what nobody foresaw into a problem: Google's refusals by their code, bugs as 500."""
    refused = _from_google(error)
    if refused is not None:
        return refused
    # The stack goes to the log only: it may quote what a caller must not see.
    logs.write("ERROR", "unexpected error", stack=traceback.format_exc()[-8000:])
    return make(
        "unexpected",
        f"an unexpected {type(error).__name__} ended this request",
        remedy="Repeating the request is safe. The function's log has the details.",
        resumable=True,
    )


def of_google() -> tuple[type[Exception], ...]:
    """Return what Google's clients raise: refusals, and whatever is no answer."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import HttpError
    from requests.exceptions import RequestException

    return (GoogleAPIError, GoogleAuthError, HttpError, RequestException, ConnectionError)


def _from_google(error: Exception) -> ProblemError | None:
    """Tell Google's errors apart; None when it is not one of Google's."""
    from google.api_core.exceptions import GoogleAPICallError
    from googleapiclient.errors import HttpError

    if not isinstance(error, of_google()):
        return None
    if isinstance(error, HttpError):
        return google_refused(int(error.status_code), str(error.reason))
    if isinstance(error, GoogleAPICallError):
        return google_refused(int(error.code or 503), _short(error))
    logs.write("WARNING", "Google did not answer", cause=str(error)[:1000])
    return unavailable("Google Cloud did not answer", cause=_short(error))


def google_refused(code: int, words: str) -> ProblemError:
    """Make a problem of what one of Google's APIs answered.

    The detail carries Google's words, since the workflow and its remedies go by them.
    """
    words = words[:1000]
    logs.write("WARNING", "Google refused a call", code=code, cause=words)
    if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unavailable(f"Google Cloud answered {code}: {words}", cause=words)
    if code == HTTPStatus.CONFLICT:
        return make("busy", f"Google Cloud answered {code}: {words}", cause=words, resumable=True)
    # NOT_YET is what the workflow's patience goes by: a right granted moments ago takes minutes.
    late = " (NOT_YET, if it was granted moments ago)" if code == HTTPStatus.FORBIDDEN else ""
    return make(
        "google-refused",
        f"Google Cloud answered {code} to a call of Berth's{late}: {words}",
        cause=words,
        remedy="Run `python -m install apply`: it restores roles and resources that are missing.",
    )


def _short(error: Exception) -> str:
    return str(getattr(error, "message", None) or error)[:1000]


def _sentence(text: str) -> str:
    """Capitalise and end what is shown to people; inside the code messages are lower case."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "`")) else ".")
