"""appengine.apps.locations: where an application can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import not_found
from localcloud.service import page
from localcloud.services.appengine import names

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource


def get(call: Call) -> Resource:
    """Give one place."""
    app, place = names.app_of(call), call["locationsId"]
    if place not in names.LOCATIONS:
        raise not_found(f"Location '{place}' was not found.")
    return _shown(app, place)


def listed(call: Call) -> Resource:
    """List all places."""
    app = names.app_of(call)
    return page(call, [_shown(app, place) for place in sorted(names.LOCATIONS)], "locations")


def _shown(app: str, place: str) -> Resource:
    return {
        "name": f"{app}/locations/{place}",
        "locationId": place,
        "labels": {"cloud.googleapis.com/region": names.region(place)},
        "metadata": {
            "@type": "type.googleapis.com/google.appengine.v1.LocationMetadata",
            "standardEnvironmentAvailable": True,
            "flexibleEnvironmentAvailable": True,
        },
    }
