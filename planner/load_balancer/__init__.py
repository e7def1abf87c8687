"""load_balancer: the only way in, where one was asked for."""

from typing import Any

from planner import compute
from planner.load_balancer import armor, certificate, records
from planner.observed import Observed
from planner.target import Target
from schemas.network import LoadBalancer
from schemas.plan import Need, PartPlan, Resource, Step

SCHEME = "EXTERNAL_MANAGED"
"""Said on the backend and on the rule: what was made for one scheme cannot serve another."""

GROUPS = {"cloud_run": "cloudRun", "app_engine": "appEngine"}
"""What a group of endpoints calls each platform."""


def address(target: Target, balancer: LoadBalancer) -> tuple[Step, ...]:
    """Return what has to be there before anybody can make a record: part of the part `network`."""
    return (
        compute.resource(
            target,
            "address",
            title=f"address {target.service}",
            collection="addresses",
            body={"ipVersion": "IPV4"},
            outputs={"address": ("address",)},
        ),
        certificate.authorization(target, balancer),
    )


def needs(target: Target, balancer: LoadBalancer) -> tuple[Need, ...]:
    """Return what the team has to have made: part of the part `network`, too."""
    return records.needs(target, balancer)


def domain(target: Target, observed: Observed) -> PartPlan:
    """Return the part `domain`: the records, where the zone is of this project.

    A record of somebody else's ends the deployment here, before anything costs time; and Google
    begins to issue the certificate the sooner.
    """
    balancer = target.request.load_balancer
    made = () if balancer is None else records.steps(target, balancer, observed)
    summary = f"{len(made)} records of {balancer.domain}" if balancer and made else "nothing"
    return PartPlan(part="domain", summary=summary, steps=made)


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the load balancer from the group of endpoints to the forwarding rule; often nothing."""
    balancer = target.request.load_balancer
    if balancer is None:
        return PartPlan(part="load_balancer", summary="no load balancer", steps=())
    return PartPlan(
        part="load_balancer",
        summary=f"https://{balancer.domain} on load balancer {target.service}",
        # Each needs what stands before it, and is removed before that.
        steps=(
            *armor.steps(target),
            _group(target),
            _backend(target),
            *armor.attachment(target),
            _url_map(target),
            *certificate.steps(target, balancer),
            _proxy(target),
            _rule(target),
        ),
        known=_known(balancer, observed),
    )


def _known(balancer: LoadBalancer, observed: Observed) -> dict[str, str | tuple[str, ...]]:
    url = f"https://{balancer.domain}"
    known: dict[str, str | tuple[str, ...]] = {"url": url, "urls": (url,)}
    if balancer.dns_zone is None:
        known["dns_records"] = tuple(
            f"{record.name} {record.type} {record.data}"
            for record in records.wanted(balancer.domain, observed)
        )
    return known


def _group(target: Target) -> Resource:
    kind = GROUPS[target.request.serving.platform]
    return compute.resource(
        target,
        "endpoint_group",
        title=f"network endpoint group {target.service}",
        collection="networkEndpointGroups",
        regional=True,
        body={"networkEndpointType": "SERVERLESS", kind: {"service": target.service}},
    )


def _backend(target: Target) -> Resource:
    # No health check, port or timeout: a serverless group has none of them.
    group = compute.link(target, "networkEndpointGroups", target.service, regional=True)
    body: dict[str, Any] = {
        "protocol": "HTTPS",
        "loadBalancingScheme": SCHEME,
        "backends": [{"group": group}],
        "enableCDN": False,
        "logConfig": {"enable": True, "sampleRate": 1.0},
    }
    if target.iap is not None and target.iap.guard == "load_balancer":
        body["iap"] = {"enabled": True}
    return compute.resource(
        target,
        "backend_service",
        title=f"backend service {target.service}",
        collection="backendServices",
        body=body,
    )


def _url_map(target: Target) -> Resource:
    return compute.resource(
        target,
        "url_map",
        title=f"URL map {target.service}",
        collection="urlMaps",
        body={"defaultService": compute.link(target, "backendServices", target.service)},
    )


def _proxy(target: Target) -> Resource:
    return compute.resource(
        target,
        "https_proxy",
        title=f"target HTTPS proxy {target.service}",
        collection="targetHttpsProxies",
        body={
            "urlMap": compute.link(target, "urlMaps", target.service),
            "certificateMap": certificate.map_link(target),
        },
    )


def _rule(target: Target) -> Resource:
    return compute.resource(
        target,
        "forwarding_rule",
        title=f"forwarding rule {target.service}",
        collection="forwardingRules",
        body={
            "IPAddress": compute.link(target, "addresses", target.service),
            "IPProtocol": "TCP",
            "portRange": "443-443",
            "target": compute.link(target, "targetHttpsProxies", target.service),
            "loadBalancingScheme": SCHEME,
            "networkTier": "PREMIUM",
        },
    )
