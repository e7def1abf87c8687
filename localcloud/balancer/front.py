"""What a load balancer decides about a request, and with what it sends it on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.balancer import guard, policy, routing, targets
from localcloud.balancer.asking import Answered, Asked
from localcloud.ingress.platforms import platform_of
from localcloud.ingress.visit import Balanced
from localcloud.services.compute.backends import headers as custom_headers
from localcloud.services.compute.names import key_of

if TYPE_CHECKING:
    from localcloud.balancer.asking import Headers
    from localcloud.balancer.policy import Verdict
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

VIA = "1.1 google"
_RUN = ".run.app"
_DENIED = (
    '<!doctype html><meta charset="utf-8"><meta name=viewport content="width=device-width, '
    'initial-scale=1"><title>{status}</title>{status} {word}'
)
_WORDS = {403: "Forbidden", 404: "Not Found", 502: "Bad Gateway"}
_NOT_FOUND = (
    "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title>\n"
    "<p><b>404.</b> That's an error.\n<p>The requested URL was not found on this server.\n"
)


@dataclass
class Passage:
    """What became of one request on its way through."""

    backend: Resource | None = None
    verdict: Verdict | None = None
    balanced: Balanced | None = None
    headers: Headers = field(default_factory=list)
    added: Headers = field(default_factory=list)


def decide(cloud: Cloud, asked: Asked, passage: Passage) -> None:
    """Fill in where a request goes; Answered when it goes nowhere."""
    compute = cloud.store.of("compute")
    backend = passage.backend = _backend(compute, asked)
    passage.added = custom_headers(backend.get("customResponseHeaders", []), {})
    _check_policy(compute, backend, asked, passage)
    changes = guard.admit(cloud, backend, asked)
    route, hosts = _target(cloud, backend, asked)
    if hosts[0].endswith(_RUN):
        changes |= guard.invoking(cloud, backend, f"https://{hosts[0]}")
    passage.balanced = Balanced(route, hosts, asked.client, asked.rule["IPAddress"], asked.scheme)
    passage.headers = _sent_on(asked, backend, changes)


def is_behind_iap(cloud: Cloud, asked: Asked) -> bool:
    """Tell whether IAP stands in front of where a request goes, at the backend or the service."""
    try:
        backend = _backend(cloud.store.of("compute"), asked)
        route, _ = _target(cloud, backend, asked)
    except Answered:
        return False
    return guard.is_on(backend) or platform_of(route.name).behind_iap(cloud, route)


def _backend(compute: Any, asked: Asked) -> Resource:
    """Return what the URL map chooses; Answered where that is nothing, or a redirect."""
    proxy = compute.find(key_of(asked.rule["target"])) or {}
    url_map = compute.find(key_of(proxy.get("urlMap", "")))
    if url_map is None:
        raise Answered(404, _NOT_FOUND)
    found = routing.destination(url_map, asked.host, asked.port, asked.path)
    if found.redirect is not None:
        status, url = routing.location(
            found, scheme=asked.scheme, host=asked.host, target=asked.target
        )
        raise Answered(status, "", headers={"location": url})
    backend: Resource | None = compute.find(key_of(found.service or ""))
    if backend is None:
        raise Answered(404, _NOT_FOUND)
    return backend


def _target(cloud: Cloud, backend: Resource, asked: Asked) -> targets.Target:
    """Return the service in the nearest of a backend's groups; Answered where there is none."""
    compute = cloud.store.of("compute")
    groups = [compute.find(key_of(one["group"])) for one in backend.get("backends", [])]
    if not groups:
        raise Answered(503, "no healthy upstream", headers={"content-type": "text/plain"})
    group = min(
        (one for one in groups if one is not None),
        # the nearest one serves; a region of the cloud's own is nearest
        key=lambda one: one["region"].rpartition("/")[2] != cloud.region,
    )
    target = targets.target_of(cloud, group, asked.host, asked.path)
    if target is None:
        raise Answered(404, _NOT_FOUND)
    return target


def _check_policy(compute: Any, backend: Resource, asked: Asked, passage: Passage) -> None:
    given = compute.find(key_of(backend.get("securityPolicy", "")))
    if given is None:
        return
    passage.verdict = policy.verdict(given, asked.client)
    status = passage.verdict.status
    if status is not None:
        raise Answered(status, _DENIED.format(status=status, word=_WORDS[status]))


def _sent_on(asked: Asked, backend: Resource, changes: dict[str, str | None]) -> Headers:
    """Return the headers of a request as the service behind gets them."""
    known = {name.lower(): value for name, value in asked.headers}
    values = {
        "client_ip_address": asked.client,
        "client_port": str(asked.client_port),
        "client_protocol": "HTTP/1.1",
        "server_ip_address": asked.rule["IPAddress"],
        "server_port": str(asked.port),
        "tls_sni_hostname": asked.host if asked.scheme == "https" else "",
    }
    custom = custom_headers(backend.get("customRequestHeaders", []), values)
    ours = {"via", *(name.lower() for name, _ in custom)}
    made = [
        (name, value)
        for name, value in asked.headers
        if name.lower() not in ours and name.lower() not in changes
    ]
    made += [(name, value) for name, value in changes.items() if value is not None]
    via = f"{known['via']}, {VIA}" if known.get("via") else VIA
    return [*made, *custom, ("via", via)]


def entry(cloud: Cloud, asked: Asked, passage: Passage, status: int, seconds: float) -> Resource:
    """Describe a request for the load balancer's log."""
    backend = passage.backend or {}
    target = asked.rule["target"].rpartition("/")[2]
    labels = {
        "project_id": cloud.project,
        "forwarding_rule_name": asked.rule["name"],
        "target_proxy_name": target,
        "backend_service_name": backend.get("name", ""),
        "zone": "global",
    }
    payload: Resource = {
        "@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",
        "remoteIp": asked.client,
        "statusDetails": "response_sent_by_backend",
    }
    verdict = passage.verdict
    if verdict is not None:
        payload["enforcedSecurityPolicy"] = policy.logged(verdict.rule, verdict.policy)
        if verdict.status is not None:
            payload["statusDetails"] = "denied_by_security_policy"
        if verdict.preview is not None:
            payload["previewSecurityPolicy"] = policy.logged(verdict.preview, verdict.policy)
    return {
        "logName": f"projects/{cloud.project}/logs/requests",
        "resource": {"type": "http_load_balancer", "labels": labels},
        "severity": "WARNING" if status >= 400 else "INFO",  # noqa: PLR2004 - HTTP
        "timestamp": cloud.clock.rfc3339(),
        "jsonPayload": payload,
        "httpRequest": {
            "requestMethod": asked.method,
            "requestUrl": f"{asked.scheme}://{asked.host}{asked.target}",
            "status": status,
            "remoteIp": asked.client,
            "latency": f"{seconds:.6f}s",
        },
    }
