"""For whom a token must be made out to be accepted by this function."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from schemas.access import GCLOUD

if TYPE_CHECKING:
    from schemas.platform import Platform


def own_urls(platform: Platform) -> tuple[str, ...]:
    """Return every URL at which Google serves this function.

    They follow from the name of the service, which Cloud Run puts into K_SERVICE. The Host
    header would be easier, but a caller writes that.
    """
    service = os.environ.get("K_SERVICE", "")
    if not service:
        return ()
    return tuple(
        url
        for region, offer in sorted(platform.regions.items())
        for url in (
            *(f"https://{service}{suffix}" for suffix in offer.host_suffixes),
            f"https://{region}-{platform.project_id}.cloudfunctions.net/{service}",
        )
    )


def of_people(platform: Platform) -> tuple[str, ...]:
    """Return the audiences of the api: its own URLs, and what gcloud puts into its tokens."""
    return (*own_urls(platform), GCLOUD)
