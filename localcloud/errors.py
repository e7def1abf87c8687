"""The one error every handler raises, in Google's vocabulary."""

from __future__ import annotations

from typing import Any

HTTP_STATUS: dict[str, int] = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
"""Which HTTP status goes with which canonical status."""

RPC_CODE: dict[str, int] = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}
"""Which number goes with which canonical status inside operations and gRPC."""

_STATUS_OF_HTTP: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

_LEGACY_REASON: dict[int, str] = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    412: "conditionNotMet",
    413: "uploadTooLarge",
    429: "rateLimitExceeded",
    500: "backendError",
    501: "notImplemented",
    503: "backendError",
    504: "backendError",
}


class ApiError(Exception):
    """An answer that is not a success; the pipeline renders it in the API's own style.

    ``status`` defaults to what the HTTP code usually means; ``reason`` is the machine-readable
    word (``ErrorInfo.reason`` in modern APIs, ``errors[0].reason`` in legacy ones).
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: str | None = None,
        reason: str | None = None,
        details: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep the parts; nothing is rendered here."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or _STATUS_OF_HTTP.get(code, "UNKNOWN")
        if self.status not in RPC_CODE:
            raise ValueError(f"unknown status {self.status!r}, known: {', '.join(RPC_CODE)}")
        self.reason = reason
        self.details = details or []
        self.headers = headers or {}

    @property
    def rpc_code(self) -> int:
        """The number of the canonical status, as operations and gRPC carry it."""
        return RPC_CODE[self.status]

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the keyword parts when an error crosses a process or is copied."""
        return (_rebuild, (self.code, self.message, self.status, self.reason, self.details))

    def render(self, style: str) -> dict[str, Any]:
        """Give the JSON body in the style of the API: ``modern`` or ``legacy``."""
        return _STYLES[style](self)


def _rebuild(
    code: int, message: str, status: str, reason: str | None, details: list[dict[str, Any]]
) -> ApiError:
    return ApiError(code, message, status=status, reason=reason, details=details)


def _modern(error: ApiError) -> dict[str, Any]:
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "status": error.status,
    }
    details = list(error.details)
    if error.reason and not any("ErrorInfo" in d.get("@type", "") for d in details):
        details.insert(0, error_info(error.reason))
    if details:
        body["details"] = details
    return {"error": body}


def _legacy(error: ApiError) -> dict[str, Any]:
    reason = error.reason or _LEGACY_REASON.get(error.code, "backendError")
    item = {"message": error.message, "domain": "global", "reason": reason}
    if error.code == 401:  # noqa: PLR2004 - HTTP
        item |= {"locationType": "header", "location": "Authorization"}
    return {"error": {"code": error.code, "message": error.message, "errors": [item]}}


_STYLES = {"modern": _modern, "legacy": _legacy}


def error_info(reason: str, *, domain: str = "googleapis.com", **metadata: str) -> dict[str, Any]:
    """Build a ``google.rpc.ErrorInfo`` detail."""
    detail: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
    if metadata:
        detail["metadata"] = metadata
    return detail


def by_status(status: str, message: str) -> ApiError:
    """Build an error from its canonical status alone."""
    return ApiError(HTTP_STATUS[status], message, status=status)


def not_found(message: str) -> ApiError:
    """404 ``NOT_FOUND``."""
    return by_status("NOT_FOUND", message)


def already_exists(message: str) -> ApiError:
    """409 ``ALREADY_EXISTS``."""
    return by_status("ALREADY_EXISTS", message)


def invalid(message: str) -> ApiError:
    """400 ``INVALID_ARGUMENT``."""
    return by_status("INVALID_ARGUMENT", message)


def denied(message: str) -> ApiError:
    """403 ``PERMISSION_DENIED``."""
    return by_status("PERMISSION_DENIED", message)


def aborted(message: str) -> ApiError:
    """409 ``ABORTED``."""
    return by_status("ABORTED", message)


def precondition(message: str) -> ApiError:
    """400 ``FAILED_PRECONDITION``."""
    return by_status("FAILED_PRECONDITION", message)
