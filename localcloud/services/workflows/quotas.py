"""Requests per minute and location, as https://cloud.google.com/workflows/quotas counts them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call

_METRICS = {
    "workflows": ("Workflow requests", 1200),
    "executions.get": ("Execution get requests", 6000),
    "executions.list": ("Execution list requests", 1200),
    "executions.write": ("Execution create and cancel requests", 6000),
}
_LOCATION = re.compile(r"/locations/([^/]+)")


def metered(metric: str, handler: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """Give a handler that refuses what goes beyond a quota.

    ``cloud.quotas["workflows:executions.get"] = 10`` sets another quota than Google's.
    """
    title, most = _METRICS[metric]

    def handle(call: Call) -> Any:
        location = _LOCATION.search(call.resource)
        key = f"{title} {location[1] if location else ''}"
        limits = call.cloud.limits
        limits.set(key, call.cloud.quotas.get(f"workflows:{metric}", most))
        try:
            limits.take(key)
        except ApiError as error:
            error.message = (
                f"Quota exceeded for quota metric '{title}' and limit '{title} per minute per "
                f"region' of service '{call.service.host}' for consumer "
                f"'project_number:{call.cloud.number}'."
            )
            raise
        return handler(call)

    return handle
