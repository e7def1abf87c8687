"""Structured logs: one JSON object per line, with the deployment and the execution in each.

Cloud Logging reads ``severity``, ``message`` and the trace from such a line and keeps the other
fields searchable. Bodies, headers and tokens are never written; callers pass names only.
"""

import json
import sys
from contextvars import ContextVar
from typing import Any, Literal

Severity = Literal["INFO", "WARNING", "ERROR"]

_FIELDS: ContextVar[dict[str, Any] | None] = ContextVar("berth_log_fields", default=None)


def begin(function: str, trace_context: str = "") -> None:
    """Start the fields of one request, so that nothing of the previous one is left.

    Args:
        function: The entry point that serves the request.
        trace_context: The value of ``X-Cloud-Trace-Context``, ``TRACE/SPAN;o=1``.
    """
    fields: dict[str, Any] = {"function": function}
    trace = trace_context.split("/", 1)[0]
    if trace:
        fields["trace_id"] = trace
    _FIELDS.set(fields)


def bind(**fields: Any) -> None:
    """Add fields to every later line of this request; None values are left out."""
    known = {key: value for key, value in fields.items() if value is not None}
    _FIELDS.set({**(_FIELDS.get() or {}), **known})


def write(severity: Severity, message: str, **fields: Any) -> None:
    """Write one line to standard output, where Cloud Logging picks it up."""
    line: dict[str, Any] = {"severity": severity, "message": message}
    line.update(_FIELDS.get() or {})
    line.update(fields)
    trace, project = line.pop("trace_id", None), line.pop("project", None)
    if trace and project:
        # Only this full form is linked to the request's own log line.
        line["logging.googleapis.com/trace"] = f"projects/{project}/traces/{trace}"
    elif trace:
        line["trace"] = trace
    sys.stdout.write(json.dumps(line, default=str, separators=(",", ":")) + "\n")
    sys.stdout.flush()
