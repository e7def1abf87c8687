"""iap.projects.brands and their clients: the API was shut down, so nothing is made or listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from localcloud.errors import precondition

if TYPE_CHECKING:
    from localcloud.service import Call


def gone(call: Call) -> NoReturn:
    """Refuse; which words Google's own servers use since the shutdown was not seen."""
    raise precondition(
        f"{call.method}: the IAP OAuth Admin APIs were deprecated on January 22, 2025 and have been "
        "permanently shut down. Use the Google-managed OAuth client, or make one by hand in the "
        "console: https://cloud.google.com/iap/docs/deprecations/migrate-oauth-client"
    )
