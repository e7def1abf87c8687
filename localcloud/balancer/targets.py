"""What a serverless group means: a service and its revision, found anew for every request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.ingress.hosts import Route
from localcloud.services.run import names, traffic

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_ADMITS = frozenset({"INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"})
"""Ingress settings that let a load balancer in (cloud.google.com/run/docs/securing/ingress)."""

_INTERNAL_ONLY = "INGRESS_TRAFFIC_ALLOWED_INTERNAL_ONLY"
_PLACEHOLDER = re.compile(r"<(\w+)>")


Target = tuple[Route, tuple[str, ...]]
"""Where a request goes, and the hosts that mean the same without a load balancer."""


def target_of(cloud: Cloud, group: Resource, host: str, path: str) -> Target | None:
    """Return where a request for a group goes; None where nothing is, or nobody is let in."""
    for kind, find in _FINDERS.items():
        if kind in group:
            given = _unmasked(group[kind], host, path)
            return None if given is None else find(cloud, group, given, path)
    return None


def _cloud_run(cloud: Cloud, group: Resource, given: Resource, path: str) -> Target | None:
    region = group["region"].rpartition("/")[2]
    name = f"projects/{cloud.project}/locations/{region}/services/{given.get('service', '')}"
    service = cloud.store.of("run").find(name)
    if service is None or service.get("ingress") not in _ADMITS:
        return None
    tag = given.get("tag", "")
    revision = traffic.tagged(service, tag) if tag else cloud.ingress.hosts.by_share(service)
    hosts = tuple(names.hosts(name, cloud.number, tag))
    return None if revision is None else (Route(service, revision, path), hosts)


def _function(cloud: Cloud, group: Resource, given: Resource, path: str) -> Target | None:
    region = group["region"].rpartition("/")[2]
    name = f"projects/{cloud.project}/locations/{region}/functions/{given.get('function', '')}"
    function = cloud.store.of("cloudfunctions").find(name)
    if function is None:
        return None
    service = function["serviceConfig"]["service"].rpartition("/")[2]
    return _cloud_run(cloud, group, {"service": service}, path)


def _app_engine(cloud: Cloud, group: Resource, given: Resource, path: str) -> Target | None:
    """Find what App Engine's own host names for a service and version mean."""
    del group
    parts = [given.get("version"), given.get("service", "default"), cloud.project]
    app = cloud.store.of("appengine").find(f"apps/{cloud.project}") or {}
    domain = str(app.get("defaultHostname", "")).partition(".")[2]
    host = "-dot-".join(part for part in parts if part) + f".{domain}"
    found: Route | None = cloud.ingress.hosts.find(host, path) if domain else None
    settings = found.service.get("networkSettings", {}) if found is not None else {}
    closed = settings.get("ingressTrafficAllowed") == _INTERNAL_ONLY
    return None if found is None or closed else (found, (host,))


def _unmasked(target: Resource, host: str, path: str) -> Resource | None:
    """Fill in what a URL mask reads from the request; None when it does not fit."""
    mask = target.get("urlMask")
    if not mask:
        return target
    mask_host, slash, mask_path = mask.partition("/")
    pattern = _pattern(mask_host) if mask_host else r"[^/]*"
    pattern += "/" + _pattern(mask_path) + r"(?:/.*)?" if slash else r"(?:/.*)?"
    found = re.fullmatch(pattern, host + path)
    return None if found is None else {**target, **found.groupdict()}


def _pattern(text: str) -> str:
    pieces, end = [], 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append(re.escape(text[end : found.start()]))
        pieces.append(f"(?P<{found[1]}>[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)")
        end = found.end()
    return "".join([*pieces, re.escape(text[end:])])


_FINDERS = {"cloudRun": _cloud_run, "cloudFunction": _function, "appEngine": _app_engine}
