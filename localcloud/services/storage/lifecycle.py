"""Lifecycle rules, carried out once for each day of the cloud's clock.

The day's round is made by the first call of that day, so that an idle cloud stays idle; nobody
can see an object that should have gone. Conditions and precedence:
cloud.google.com/storage/docs/lifecycle.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from localcloud.errors import ApiError
from localcloud.services.storage import generations, shelf, views
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.xml import multipart

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.services.storage.depot import Depot
    from localcloud.services.storage.shelf import Bucket, Entry, Resource

_DAY = 86_400
_COLDER = ("STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE")
_OLD_NAMES = {
    "MULTI_REGIONAL": "STANDARD",
    "REGIONAL": "STANDARD",
    "DURABLE_REDUCED_AVAILABILITY": "STANDARD",
}


class _Look(NamedTuple):
    """A generation as conditions see it."""

    entry: Entry
    newer: int
    now: float


def carry_out(cloud: Cloud) -> None:
    """Make today's round unless it has been made."""
    depot = depot_of(cloud)
    today = int(depot.now() // _DAY)
    if depot.round == today:
        return
    with depot.transaction():
        if depot.round == today:
            return
        depot.round = today
        shelf.drop_expired(depot)
        for bucket in shelf.every_bucket(depot):
            rules = bucket.resource.get("lifecycle", {}).get("rule", [])
            if rules:
                _round(depot, bucket, rules)


def _round(depot: Depot, bucket: Bucket, rules: list[Resource]) -> None:
    now = depot.now()
    found = list(shelf.entries_from(depot, bucket, ("", 0), kind="versions"))
    left = Counter(entry.name for entry in found)
    for entry in found:
        # Generations of a name come oldest first: those still to come are newer.
        left[entry.name] -= 1
        look = _Look(entry, left[entry.name], now)
        due = [rule["action"] for rule in rules if _applies(rule["condition"], look)]
        kinds = {action["type"] for action in due}
        if "Delete" in kinds:
            _delete(depot, bucket, entry)
        elif "SetStorageClass" in kinds:
            _cool(depot, entry, [action.get("storageClass", "") for action in due])
    for rule in rules:
        if rule["action"]["type"] == "AbortIncompleteMultipartUpload":
            condition = rule["condition"]
            before = now - condition.get("age", 0) * _DAY
            multipart.abort_older(depot, bucket.name, before, _named(condition))


def _delete(depot: Depot, bucket: Bucket, entry: Entry) -> None:
    try:
        if entry.live:
            generations.retire(depot, bucket, entry)
        else:
            generations.remove(depot, bucket, entry)
    except ApiError:
        # Under a hold or a retention time: tomorrow it is looked at again.
        return


def _cool(depot: Depot, entry: Entry, wanted: list[str]) -> None:
    coldest = max((each for each in wanted if each in _COLDER), key=_COLDER.index, default=None)
    present = _OLD_NAMES.get(entry.resource["storageClass"], entry.resource["storageClass"])
    if coldest is None or _COLDER.index(coldest) <= _COLDER.index(present):
        return
    now = views.stamp(depot.now())
    changed = {"storageClass": coldest, "timeStorageClassUpdated": now, "updated": now}
    shelf.save_entry(
        depot,
        replace(
            entry,
            metageneration=entry.metageneration + 1,
            resource=entry.resource | changed,
        ),
    )


def _named(condition: Resource) -> Callable[[str], bool]:
    prefixes = tuple(condition.get("matchesPrefix", [])) or ("",)
    suffixes = tuple(condition.get("matchesSuffix", [])) or ("",)
    return lambda name: name.startswith(prefixes) and name.endswith(suffixes)


def _applies(condition: Resource, look: _Look) -> bool:
    return _named(condition)(look.entry.name) and all(
        _CONDITIONS[key](value, look) for key, value in condition.items() if key in _CONDITIONS
    )


def _days_since(key: str) -> Callable[[Any, _Look], bool]:
    def holds(days: int, look: _Look) -> bool:
        moment = look.entry.resource.get(key)
        return moment is not None and views.moment(moment) + days * _DAY <= look.now

    return holds


def _before(key: str) -> Callable[[Any, _Look], bool]:
    def holds(date: str, look: _Look) -> bool:
        moment = look.entry.resource.get(key)
        midnight = datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()
        return moment is not None and views.moment(moment) < midnight

    return holds


_CONDITIONS: dict[str, Callable[[Any, _Look], bool]] = {
    "age": _days_since("timeCreated"),
    "createdBefore": _before("timeCreated"),
    "customTimeBefore": _before("customTime"),
    "daysSinceCustomTime": _days_since("customTime"),
    "daysSinceNoncurrentTime": _days_since("timeDeleted"),
    "isLive": lambda wanted, look: look.entry.live is wanted,
    "matchesStorageClass": lambda classes, look: look.entry.resource["storageClass"] in classes,
    "noncurrentTimeBefore": _before("timeDeleted"),
    "numNewerVersions": lambda count, look: look.newer >= count,
}
