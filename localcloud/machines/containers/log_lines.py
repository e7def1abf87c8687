"""Turns the lines a container writes into log entries, as Google's platforms do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.severities import SEVERITIES

if TYPE_CHECKING:
    from localcloud.machines.containers.workload import Workload

_SPECIAL: dict[str, tuple[str, type]] = {
    "logging.googleapis.com/trace": ("trace", str),
    "logging.googleapis.com/spanId": ("spanId", str),
    "logging.googleapis.com/trace_sampled": ("traceSampled", bool),
    "logging.googleapis.com/labels": ("labels", dict),
    "logging.googleapis.com/insertId": ("insertId", str),
    "logging.googleapis.com/operation": ("operation", dict),
    "logging.googleapis.com/sourceLocation": ("sourceLocation", dict),
    "httpRequest": ("httpRequest", dict),
}
"""Fields that leave the payload for the entry itself, if they are of the right type."""

_SEVERITY_OF_PYTHON = {"WARN": "WARNING", "FATAL": "CRITICAL"}


def entry(workload: Workload, stream: str, line: str, now: str) -> dict[str, Any]:
    """Return the log entry for one line.

    A line that is a JSON object is structured: its severity, message and own fields are kept,
    the ``logging.googleapis.com/`` fields go where they belong. Anything else is text.
    """
    made: dict[str, Any] = {
        "logName": f"projects/{workload.project}/logs/{workload.log_host}%2F{stream}",
        "resource": dict(workload.log_resource),
        "timestamp": now,
        "labels": dict(workload.log_labels),
    }
    fields = _object(line)
    if fields is None:
        return made | {"textPayload": line}
    severity = str(fields.pop("severity", "")).upper()
    severity = _SEVERITY_OF_PYTHON.get(severity, severity)
    if severity in SEVERITIES:
        made["severity"] = severity
    for name, (target, kind) in _SPECIAL.items():
        if isinstance(fields.get(name), kind):
            value = fields.pop(name)
            made[target] = made["labels"] | value if target == "labels" else value
    fields.pop("time", None)
    fields.pop("timestamp", None)
    return made | {"jsonPayload": fields}


def of_system(workload: Workload, text: str, severity: str, now: str) -> dict[str, Any]:
    """Return the log entry for what the platform has to say about an instance."""
    return {
        "logName": f"projects/{workload.project}/logs/{workload.log_host}%2Fvarlog%2Fsystem",
        "resource": dict(workload.log_resource),
        "timestamp": now,
        "severity": severity,
        "labels": dict(workload.log_labels),
        "textPayload": text,
    }


def _object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
