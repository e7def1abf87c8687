"""One JSON object per log line, as Cloud Logging reads it; successful health checks are left out."""

import json
import logging
import time
from collections.abc import Mapping


class JsonFormatter(logging.Formatter):
    """Formats a record with the field names Cloud Logging gives a meaning to."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        entry: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
        }
        if record.exc_info:
            entry["message"] = f"{entry['message']}\n{self.formatException(record.exc_info)}"
        if record.name == "granian.access" and isinstance(record.args, Mapping):
            asked = record.args
            entry["httpRequest"] = {
                "requestMethod": asked["method"],
                "requestUrl": asked["path"],
                "status": asked["status"],
                "remoteIp": asked["addr"],
                "protocol": asked["protocol"],
                "latency": f"{asked['dt_ms'] / 1000:.6f}s",
            }
        return json.dumps(entry, default=str)


class WithoutHealthChecks(logging.Filter):
    """Drops the access lines of probes that succeeded."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is worth a line."""
        message = record.getMessage()
        return not ("/health" in message and message.rstrip().endswith("200"))
