"""Which revision gets which share of a service's requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import invalid
from localcloud.services.run import names

if TYPE_CHECKING:
    from localcloud.store import Collection, Resource

LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_WHOLE = 100


def check(store: Collection, service: Resource) -> None:
    """Refuse traffic that does not add up, or goes to a revision that is not there."""
    targets = service["traffic"]
    total = sum(target.get("percent", 0) for target in targets)
    if total != _WHOLE:
        raise invalid(f"traffic: percentages must add up to 100, they add up to {total}")
    tags = [target["tag"] for target in targets if target.get("tag")]
    if len(set(tags)) < len(tags):
        raise invalid("traffic: a tag can be given to one target only")
    for target in targets:
        revision = target.get("revision")
        by_revision = target.get("type") == REVISION
        if by_revision != bool(revision):
            raise invalid("traffic: a target by revision names one, a target by latest does not")
        coming = service["template"].get("revision")
        known = store.find(f"{service['name']}/revisions/{revision}") is not None
        if by_revision and not known and revision != coming:
            raise invalid(f"traffic: Revision '{revision}' does not exist in this service.")


def statuses(service: Resource, number: str) -> list[Resource]:
    """Return where requests go now that the latest ready revision is known."""
    latest = service.get("latestReadyRevision", "").rpartition("/")[2]
    found: list[Resource] = []
    for target in service["traffic"]:
        status = {key: target[key] for key in ("percent", "tag", "revision") if key in target}
        status["type"] = target.get("type", LATEST)
        if status["type"] != REVISION:
            status["revision"] = latest
        if target.get("tag"):
            host = names.hosts(service["name"], number, target["tag"])[1]
            if not service.get("defaultUriDisabled"):
                status["uri"] = f"https://{host}"
        if status["revision"]:
            found.append(status)
    return found


def shares(service: Resource) -> list[tuple[str, int]]:
    """Return (revision, percent) for every revision that gets a share."""
    return [
        (f"{service['name']}/revisions/{status['revision']}", status["percent"])
        for status in service.get("trafficStatuses", [])
        if status.get("percent")
    ]


def tagged(service: Resource, tag: str) -> str | None:
    """Return the revision a tag points at."""
    for status in service.get("trafficStatuses", []):
        if status.get("tag") == tag:
            return f"{service['name']}/revisions/{status['revision']}"
    return None


def reachable(service: Resource) -> set[str]:
    """Return every revision that requests can reach, by share or by tag."""
    return {
        f"{service['name']}/revisions/{status['revision']}"
        for status in service.get("trafficStatuses", [])
    }
