"""Which service and version a host name of App Engine means, and which version a request gets."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from localcloud.services.appengine import names

if TYPE_CHECKING:
    import random

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_HOST = re.compile(r"(?P<labels>[a-z0-9-]+)(\.(?P<code>[a-z]{2})\.r)?\.appspot\.com")
_COOKIE = re.compile(r"GOOGAPPUID=(\w+)")
_STEPS = 1000


def find(
    cloud: Cloud, host: str, dice: random.Random, *, client: str, cookies: str
) -> tuple[Resource, str] | None:
    """Return (service, version name); None for a host that is no application's of ours.

    What names no service or version that is there is for ``default``
    (cloud.google.com/appengine/docs/flexible/how-requests-are-routed).
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    *labels, project = found["labels"].split("-dot-")
    kept = cloud.store.of("appengine")
    app = kept.find(f"apps/{project}")
    if app is None or found["code"] not in {None, names.host("", app["locationId"]).split(".")[1]}:
        return None
    services = f"{app['name']}/services"
    default = kept.find(f"{services}/{names.DEFAULT}")
    for version, short in _readings(labels):
        service = kept.find(f"{services}/{short}")
        if service is None:
            continue
        if version is None:
            return service, by_share(service, dice, client=client, cookies=cookies)
        if kept.find(f"{service['name']}/versions/{version}") is not None:
            return service, f"{service['name']}/versions/{version}"
    return (default, by_share(default, dice, client=client, cookies=cookies)) if default else None


def _readings(labels: list[str]) -> list[tuple[str | None, str]]:
    """Return what labels may mean, as (version, service), likeliest first."""
    if not labels:
        return [(None, names.DEFAULT)]
    if len(labels) == 1:
        return [(None, labels[0]), (labels[0], names.DEFAULT)]
    return [(labels[-2], labels[-1])]


def by_share(service: Resource, dice: random.Random, *, client: str, cookies: str) -> str:
    """Choose a version by the split: the same one again for an address or a cookie."""
    split = service["split"]
    by = split.get("shardBy", "IP")
    known = _COOKIE.search(cookies)
    key = client if by == "IP" else known[1] if by == "COOKIE" and known else None
    if key is None:
        place = dice.random()
    else:
        place = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % _STEPS / _STEPS
    chosen = ""
    for version, share in split["allocations"].items():
        chosen = version
        place -= share
        if place < 0:
            break
    return f"{service['name']}/versions/{chosen}"
