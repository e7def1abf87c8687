"""Forwarding rules: an address and a port, and the proxy that answers there."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.addresses import chosen
from localcloud.services.compute.backends import SCHEMES
from localcloud.services.compute.kinds import Kind, no_labels
from localcloud.services.compute.methods import change, with_labels
from localcloud.services.compute.url_maps import services

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource
    from localcloud.store import Collection

PORTS = {"targetHttpsProxies": (443,), "targetHttpProxies": (80, 8080)}
"""What each kind of proxy can listen on (cloud.google.com/load-balancing/docs/https)."""

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_FIELDS = frozenset(
    {
        "IPAddress",
        "IPProtocol",
        "description",
        "fingerprint",
        "ipVersion",
        "labels",
        "loadBalancingScheme",
        "name",
        "networkTier",
        "portRange",
        "ports",
        "target",
    }
)


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a rule."""
    if before is None:
        no_labels(body)
    for field in sorted(body.keys() - _FIELDS):
        raise names.not_here(f"forwarding rule with {field}", body[field])
    if before is not None:
        return _patched(body, before)
    scheme = body.get("loadBalancingScheme", "EXTERNAL")
    if scheme not in SCHEMES:
        raise names.not_here("forwarding rule of scheme", scheme)
    if body.get("IPProtocol", "TCP") != "TCP":
        raise names.wrong("resource.IPProtocol", body["IPProtocol"], "It must be TCP.")
    if body.get("networkTier", "PREMIUM") != "PREMIUM":
        raise names.wrong(
            "resource.networkTier", body["networkTier"], "Global rules are PREMIUM only."
        )
    if body.get("ipVersion", "IPV4") != "IPV4":
        raise names.not_here("forwarding rule with ipVersion", body["ipVersion"])
    target = _target(call, body.get("target"), scheme)
    port = _port(body, target)
    address = _address(call, body)
    for other in call.store.children(f"{names.place(call)}/forwardingRules/"):
        if (other["IPAddress"], other["portRange"]) == (address, f"{port}-{port}"):
            raise names.wrong(
                "resource.IPAddress",
                address,
                "Specified IP address is in-use and would result in a conflict.",
            )
    kept = {name: value for name, value in body.items() if name not in {"ports", "ipVersion"}}
    return with_labels(
        {
            **kept,
            "IPAddress": address,
            "IPProtocol": "TCP",
            "portRange": f"{port}-{port}",
            "target": names.link(target),
            "loadBalancingScheme": scheme,
            "networkTier": "PREMIUM",
        }
    )


def _patched(body: Resource, before: Resource) -> Resource:
    changed = [
        name
        for name in _FIELDS - {"description", "fingerprint", "labels", "name"}
        if body.get(name) != before.get(name)
    ]
    if changed or body.get("labels", {}) != before.get("labels", {}):
        field = min(changed, default="labels")
        raise names.wrong(f"resource.{field}", body.get(field), "It cannot be changed by a patch.")
    return with_labels(body)


def _target(call: Call, text: str | None, scheme: str) -> str:
    if not text:
        raise names.required("resource.target")
    key = names.reference(call.cloud, text, "target", set(PORTS))
    for link in sorted(_backends(call.store, key)):
        backend = call.store.find(names.key_of(link))
        if backend is not None and backend["loadBalancingScheme"] != scheme:
            raise names.wrong(
                "resource.loadBalancingScheme",
                scheme,
                f"The backend service {link} has the scheme {backend['loadBalancingScheme']}.",
            )
    return key


def _backends(store: Collection, target: str) -> set[str]:
    proxy = store.find(target) or {}
    url_map = store.find(names.key_of(proxy.get("urlMap", ""))) or {}
    return services(url_map)


def _port(body: Resource, target: str) -> int:
    allowed = PORTS[target.split("/")[-2]]
    given = body.get("portRange") or ",".join(body.get("ports", []))
    if not given:
        raise names.required("resource.portRange")
    found = _PORTS.fullmatch(given)
    if found is None or found[2] not in (None, found[1]) or int(found[1]) not in allowed:
        raise names.wrong(
            "resource.portRange",
            given,
            f"For {target.split('/')[-2]} it must be one of "
            f"{', '.join(str(port) for port in allowed)}.",
        )
    return int(found[1])


def _address(call: Call, body: Resource) -> str:
    text = body.get("IPAddress")
    place = f"{names.place(call)}/addresses/"
    if not text:
        return chosen(call.cloud, f"{names.place(call)}/forwardingRules/{body['name']}")
    if _is_number(text):
        known = [one.get("address") for one in call.store.children(place)]
        if text not in known:
            raise names.wrong(
                "resource.IPAddress", text, "The address is not one reserved in this project."
            )
        return str(text)
    if names.NAME.fullmatch(text):
        text = f"global/addresses/{text}"
    key = names.reference(call.cloud, text, "IPAddress", {"addresses"})
    found = call.store.find(key)
    if found is None:
        raise names.unknown(key)
    if "/global/" not in key or found["addressType"] != "EXTERNAL":
        raise names.wrong("resource.IPAddress", text, "It must be a global external address.")
    return str(found["address"])


def _is_number(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address_of(cloud: Cloud, rule: Resource) -> set[str]:
    """Return the key of the address a rule listens on, if it is a reserved one."""
    known = cloud.store.of("compute").under(f"projects/{cloud.project}/global/addresses/")
    return {key for key, one in known if one.get("address") == rule["IPAddress"]}


def set_target(call: Call) -> Resource:
    """Have another proxy of the same kind answer."""

    def changed(present: Resource) -> Resource:
        key = _target(call, call.body.get("target"), present["loadBalancingScheme"])
        _port(present, key)
        return {**present, "target": names.link(key)}

    return change(RULES, call, "setTarget", changed)


def listening(cloud: Cloud) -> None:
    """Listen where a new rule says, and no longer where one is gone."""
    cloud.balancer.refresh()
    cloud.issuance.consider()


RULES = Kind(
    collection="forwardingRules",
    parameter="forwardingRule",
    word="compute#forwardingRule",
    api="compute.globalForwardingRules",
    permission="compute.globalForwardingRules",
    prepared=prepared,
    output_only=frozenset({"labelFingerprint", "serviceName", "baseForwardingRule"}),
    links=("target",),
    means=address_of,
    changed=listening,
    fingerprint=True,
)
