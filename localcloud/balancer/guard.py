"""Identity-Aware Proxy in front of a backend service, asked after the security policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import iap
from localcloud.balancer.asking import Answered
from localcloud.iap import pages
from localcloud.ingress.invoker import OWN_HEADER

if TYPE_CHECKING:
    from localcloud.balancer.asking import Asked
    from localcloud.cloud import Cloud
    from localcloud.store import Resource


def admit(cloud: Cloud, backend: Resource, asked: Asked) -> dict[str, str | None]:
    """Return how headers change on the way in (None: dropped); Answered if nobody passes."""
    if not is_on(backend):
        return {}
    known = {name.lower(): value for name, value in asked.headers}
    question = iap.Asked(asked.method, asked.host, asked.target, known)
    found = iap.authorize(cloud, iap.backend_service(cloud, backend), question)
    if isinstance(found, iap.Refusal):
        raise Answered(found.status, found.body, headers=found.headers)
    return dict(found.changes)


def invoking(cloud: Cloud, backend: Resource, audience: str) -> dict[str, str | None]:
    """Return the header with which IAP's own account calls a Cloud Run service."""
    if not is_on(backend):
        return {}
    agent = iap.agent(cloud)
    if agent is None:
        given = {**pages.GENERATED, "content-type": "text/html"}
        raise Answered(500, pages.AGENT_MISSING, headers=given)
    return {OWN_HEADER: f"Bearer {cloud.tokens.id_token(agent, audience)}"}


def is_on(backend: Resource) -> bool:
    """Tell whether IAP guards a backend service."""
    return bool(backend.get("iap", {}).get("enabled"))
