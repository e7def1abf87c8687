"""IAP's settings: kept per resource, and what counts for one is what all above it say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

SETTINGS = "iap.settings"


def effective(cloud: Cloud, name: str) -> Resource:
    """Give the settings of a resource, with what it inherits where it says nothing itself."""
    found: Resource = {}
    for one in lineage(cloud.by_id(name)):
        found = _over(found, cloud.store.of(SETTINGS).find(one) or {})
    return found


def lineage(name: str) -> Iterator[str]:
    """Give a resource's name after those of all above it."""
    parts = name.split("/")
    for end in (3, *range(4, len(parts) + 1, 2)):
        if end <= len(parts):
            yield "/".join(parts[:end])


def part(settings: Resource, *path: str) -> Any:
    """Give what lies at a path of fields, an empty dict where there is nothing."""
    found: Any = settings
    for name in path:
        found = found.get(name, {})
    return found


def forget(cloud: Cloud, name: str) -> None:
    """Drop policy and settings of a resource that is gone; a new one of that name starts anew."""
    cloud.iam.forget(f"//iap.googleapis.com/{name}")
    kept = cloud.store.of(SETTINGS)
    if kept.find(cloud.by_id(name)) is not None:
        kept.delete(cloud.by_id(name))


def _over(above: Resource, below: Resource) -> Resource:
    made = dict(above)
    for key, value in below.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = _over(made[key], value) if both else value
    return made
