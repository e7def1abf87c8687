"""How long an object of its own must stay, and what a released hold begins.

See cloud.google.com/storage/docs/object-lock and .../object-holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.storage import names, views

if TYPE_CHECKING:
    from localcloud.service import Call, Resource
    from localcloud.services.storage.shelf import Bucket, Entry

_MODES = {"Locked", "Unlocked"}


def of_new(call: Call, bucket: Bucket, given: Resource) -> Resource:
    """Return the retention a new object is given."""
    asked = given.get("retention")
    if not asked:
        return {}
    return {"retention": _checked(call, bucket, str(given.get("name") or ""), asked)}


def changed(call: Call, bucket: Bucket, entry: Entry, resource: Resource) -> Resource:
    """Return an object's new metadata with what follows for its retention."""
    found = dict(resource)
    if entry.resource.get("eventBasedHold") and not resource.get("eventBasedHold"):
        found["_released"] = views.stamp(call.cloud.clock.now())
    if "retention" not in call.body:
        return found
    before, asked = entry.resource.get("retention"), call.body["retention"]
    wanted = _checked(call, bucket, entry.name, asked) if asked else None
    if before and _weaker(before, wanted):
        _may_weaken(call, bucket, entry, before)
    found.pop("retention", None)
    return found | ({"retention": wanted} if wanted else {})


def _checked(call: Call, bucket: Bucket, name: str, asked: Resource) -> Resource:
    if bucket.resource.get("objectRetention", {}).get("mode") != "Enabled":
        message = "Object retention is not enabled on the bucket."
        raise ApiError(400, message, reason="invalid")
    call.require("storage.objects.setRetention", names.resource_name(bucket.name, name))
    mode, until = asked.get("mode"), asked.get("retainUntilTime")
    if not mode and not until:
        return {}
    if mode not in _MODES or not until:
        message = "Object retention needs a mode, Locked or Unlocked, and a retainUntilTime."
        raise ApiError(400, message, reason="invalid")
    if views.moment(until) <= call.cloud.clock.now():
        message = "The retainUntilTime of an object must be in the future."
        raise ApiError(400, message, reason="invalid")
    return {"mode": mode, "retainUntilTime": views.stamp(views.moment(until))}


def _weaker(before: Resource, after: Resource | None) -> bool:
    if not after:
        return True
    sooner = views.moment(after["retainUntilTime"]) < views.moment(before["retainUntilTime"])
    return sooner or (before["mode"] == "Locked" and after["mode"] != "Locked")


def _may_weaken(call: Call, bucket: Bucket, entry: Entry, before: Resource) -> None:
    if before["mode"] == "Locked":
        message = f"Object '{bucket.name}/{entry.name}' has a locked retention configuration, which cannot be removed or shortened."
        raise ApiError(403, message, reason="forbidden")
    if not call.get("overrideUnlockedRetention"):
        message = f"Object '{bucket.name}/{entry.name}' has an unlocked retention configuration; removing or shortening it needs overrideUnlockedRetention=true."
        raise ApiError(403, message, reason="forbidden")
    resource = names.resource_name(bucket.name, entry.name)
    call.require("storage.objects.overrideUnlockedRetention", resource)
