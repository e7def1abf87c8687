"""Compute Engine: what a load balancer in front of serverless services and its network need."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud import refusals
from localcloud.errors import ApiError
from localcloud.service import Needs, Service
from localcloud.services.compute import (
    addresses,
    armor,
    backends,
    certificates,
    groups,
    networks,
    places,
    progress,
    proxies,
    rules,
    url_maps,
)
from localcloud.services.compute.methods import basic, changing, labelled, over_scopes
from localcloud.services.compute.names import project

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.services.compute.methods import Method


def _resource(call: Call) -> str:
    return project(call) if call.get("project") else f"projects/{call.cloud.project}"


def _denied(call: Call, permission: str) -> ApiError:
    """Refuse a caller in Compute Engine's words, which name the resource of the URL."""
    if call.caller.anonymous:
        return refusals.anonymous(call.service, permission)
    resource = call.cloud.by_id(urlsplit(call.url).path.partition("/compute/v1/")[2])
    return ApiError(403, f"Required '{permission}' permission for '{resource}'", reason="forbidden")


def _with_network(methods: dict[str, Method]) -> dict[str, Method]:
    """Have the network of a new project there before anybody asks about networks."""

    def founding(method: Method) -> Method:
        handler, needs = method

        def handle(call: Call) -> object:
            networks.founded(call.cloud)
            return handler(call)

        return handle, needs

    return {name: founding(method) for name, method in methods.items()}


def _operations(scope: str) -> dict[str, Method]:
    api = f"compute.{scope}Operations"
    return {
        f"{api}.get": (progress.get, f"{api}.get"),
        f"{api}.wait": (progress.wait, f"{api}.get"),
        f"{api}.list": (progress.list_operations, f"{api}.list"),
        f"{api}.delete": (progress.delete, f"{api}.delete"),
    }


_POLICIES = armor.POLICIES
_UPDATES = frozenset({"update"})
METHODS: dict[str, Method] = {
    **basic(addresses.GLOBAL),
    **labelled(addresses.GLOBAL),
    **basic(addresses.REGIONAL),
    **labelled(addresses.REGIONAL),
    **over_scopes(addresses.REGIONAL),
    **basic(groups.GROUPS),
    **over_scopes(groups.GROUPS),
    **basic(backends.BACKENDS),
    **over_scopes(backends.BACKENDS),
    **changing(backends.BACKENDS, "patch", "update", needs=_UPDATES),
    "compute.backendServices.setSecurityPolicy": (
        backends.set_policy,
        Needs("compute.backendServices.setSecurityPolicy"),
    ),
    **basic(_POLICIES),
    **over_scopes(_POLICIES),
    **labelled(_POLICIES),
    "compute.securityPolicies.patch": (armor.patch, "compute.securityPolicies.update"),
    "compute.securityPolicies.getRule": (armor.get_rule, "compute.securityPolicies.get"),
    "compute.securityPolicies.addRule": (armor.add_rule, "compute.securityPolicies.update"),
    "compute.securityPolicies.patchRule": (armor.patch_rule, "compute.securityPolicies.update"),
    "compute.securityPolicies.removeRule": (armor.remove_rule, "compute.securityPolicies.update"),
    **basic(url_maps.URL_MAPS),
    **over_scopes(url_maps.URL_MAPS),
    **changing(url_maps.URL_MAPS, "patch", "update", needs=_UPDATES),
    **basic(proxies.HTTP),
    **over_scopes(proxies.HTTP),
    **changing(proxies.HTTP, "patch", needs=frozenset({"patch"})),
    "compute.targetHttpProxies.setUrlMap": (
        proxies.set_url_map,
        "compute.targetHttpProxies.setUrlMap",
    ),
    **basic(proxies.HTTPS),
    **over_scopes(proxies.HTTPS),
    **changing(proxies.HTTPS, "patch", needs=frozenset({"patch"})),
    "compute.targetHttpsProxies.setUrlMap": (
        proxies.set_url_map,
        "compute.targetHttpsProxies.setUrlMap",
    ),
    "compute.targetHttpsProxies.setCertificateMap": (
        proxies.set_certificate_map,
        "compute.targetHttpsProxies.setCertificateMap",
    ),
    "compute.targetHttpsProxies.setSslCertificates": (
        proxies.set_certificates,
        "compute.targetHttpsProxies.setSslCertificates",
    ),
    **basic(rules.RULES),
    **over_scopes(rules.RULES),
    **labelled(rules.RULES),
    **changing(rules.RULES, "patch"),
    "compute.globalForwardingRules.setTarget": (
        rules.set_target,
        "compute.globalForwardingRules.setTarget",
    ),
    **basic(certificates.CERTIFICATES),
    **over_scopes(certificates.CERTIFICATES),
    **_with_network(
        {
            **basic(networks.NETWORKS),
            **basic(networks.SUBNETWORKS),
            **over_scopes(networks.SUBNETWORKS),
            **changing(networks.SUBNETWORKS, "patch", needs=frozenset({"patch"})),
            **basic(networks.ROUTES),
            "compute.subnetworks.setPrivateIpGoogleAccess": (
                networks.set_private_access,
                "compute.subnetworks.setPrivateIpGoogleAccess",
            ),
        }
    ),
    **_operations("global"),
    **_operations("region"),
    "compute.globalOperations.aggregatedList": (
        progress.list_scopes,
        "compute.globalOperations.list",
    ),
    "compute.projects.get": (places.project, "compute.projects.get"),
    "compute.regions.get": (places.region, "compute.regions.get"),
    "compute.regions.list": (places.regions, "compute.regions.list"),
    "compute.zones.get": (places.zone, "compute.zones.get"),
    "compute.zones.list": (places.zones, "compute.zones.list"),
}


def _start(cloud: Cloud) -> None:
    """Listen again where forwarding rules are; nothing is made for a project without any."""
    if cloud.store.of("compute").count(f"projects/{cloud.project}/global/forwardingRules/"):
        cloud.balancer.refresh()


SERVICE = Service(
    "compute",
    "v1",
    {name: handler for name, (handler, _) in METHODS.items()},
    permissions={name: needs for name, (_, needs) in METHODS.items()},
    errors="legacy",
    resource=_resource,
    denial=_denied,
    hosts=("www.googleapis.com",),
    on_start=_start,
)
