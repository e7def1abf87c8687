"""Where a bucket may lie."""

from localcloud.errors import ApiError

_MULTI_REGIONS = {"US", "EU", "ASIA"}

_DUAL_REGIONS = {"ASIA1", "EUR4", "EUR5", "EUR7", "EUR8", "NAM4"}

_REGIONS = {
    "NORTHAMERICA": ("NORTHEAST1", "NORTHEAST2", "SOUTH1"),
    "US": ("CENTRAL1", "EAST1", "EAST4", "EAST5", "SOUTH1", "WEST1", "WEST2", "WEST3", "WEST4"),
    "SOUTHAMERICA": ("EAST1", "WEST1"),
    "EUROPE": (
        "CENTRAL2",
        "NORTH1",
        "NORTH2",
        "SOUTHWEST1",
        "WEST1",
        "WEST2",
        "WEST3",
        "WEST4",
        "WEST6",
        "WEST8",
        "WEST9",
        "WEST10",
        "WEST12",
    ),
    "ASIA": (
        "EAST1",
        "EAST2",
        "NORTHEAST1",
        "NORTHEAST2",
        "NORTHEAST3",
        "SOUTH1",
        "SOUTH2",
        "SOUTHEAST1",
        "SOUTHEAST2",
        "SOUTHEAST3",
    ),
    "AUSTRALIA": ("SOUTHEAST1", "SOUTHEAST2"),
    "AFRICA": ("SOUTH1",),
    "ME": ("CENTRAL1", "CENTRAL2", "WEST1"),
}


def resolve(asked: str | None, pair: list[str] | None = None) -> tuple[str, str]:
    """Return a location in capitals, and its type; ``US`` if none is asked for.

    *pair* are the two regions of a configurable dual-region, inside the continent asked for.
    """
    location = (asked or "US").upper()
    if pair:
        places = {place.upper() for place in pair}
        if (
            location not in _MULTI_REGIONS
            or len(places) != len(("one", "other"))
            or any(resolve(place)[1] != "region" for place in places)
        ):
            message = "The specified dataLocations are not valid for this location."
            raise ApiError(400, message, reason="invalid")
        return location, "dual-region"
    if location in _MULTI_REGIONS:
        return location, "multi-region"
    if location in _DUAL_REGIONS:
        return location, "dual-region"
    area, _, place = location.partition("-")
    if place not in _REGIONS.get(area, ()):
        message = "The specified location constraint is not valid."
        raise ApiError(400, message, reason="invalid")
    return location, "region"
