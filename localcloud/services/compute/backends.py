"""Backend services: which groups serve, with which policy, behind IAP or not, logged or not."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind
from localcloud.services.compute.methods import change

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

SCHEMES = ("EXTERNAL", "EXTERNAL_MANAGED")
"""Load balancers in front of the whole world; the classic one and the present one."""

VARIABLES = frozenset(
    {
        "client_ip_address",
        "client_port",
        "client_protocol",
        "client_region",
        "client_city",
        "server_ip_address",
        "server_port",
        "tls_sni_hostname",
        "tls_version",
    }
)
"""What a custom request header may name (cloud.google.com/load-balancing/docs/custom-headers)."""

_HEADER = re.compile(r"(?P<name>[A-Za-z][-A-Za-z0-9_]*):(?P<value>.*)", re.DOTALL)
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_PROTOCOLS = ("HTTP", "HTTPS", "HTTP2")
_NOT_FOR_SERVERLESS = {"healthChecks": None, "timeoutSec": 30}
"""Fields a backend service with serverless groups cannot have, but for a harmless value."""

_ABSENT = frozenset(
    {
        "backends",
        "cdnPolicy",
        "compressionMode",
        "connectionDraining",
        "customRequestHeaders",
        "customResponseHeaders",
        "description",
        "enableCDN",
        "fingerprint",
        "iap",
        "loadBalancingScheme",
        "localityLbPolicy",
        "logConfig",
        "name",
        "port",
        "portName",
        "protocol",
        "sessionAffinity",
        *_NOT_FOR_SERVERLESS,
    }
)
"""The fields that are there; any other is refused, for it would have no effect."""


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a backend service."""
    for field in sorted(body.keys() - _ABSENT):
        raise names.not_here(f"backend service with {field}", body[field])
    scheme = body.get("loadBalancingScheme", "EXTERNAL")
    if scheme not in SCHEMES:
        raise names.not_here("backend service of scheme", scheme)
    if before is not None and before["loadBalancingScheme"] != scheme:
        raise names.wrong("resource.loadBalancingScheme", scheme, "It cannot be changed.")
    protocol = body.get("protocol", "HTTP")
    if protocol not in _PROTOCOLS:
        raise names.wrong("resource.protocol", protocol, "It must be HTTP, HTTPS or HTTP2.")
    groups = _groups(call, body)
    _check_headers(body)
    made = {
        "sessionAffinity": "NONE",
        "port": 80,
        # gcloud and Terraform name a port, which means nothing to serverless groups
        **({} if groups else {"portName": "http"}),
        "timeoutSec": 30,
        "connectionDraining": {"drainingTimeoutSec": 0},
        "enableCDN": False,
        **body,
        "loadBalancingScheme": scheme,
        "protocol": protocol,
    }
    if groups:
        made["backends"] = groups
    iap = _iap(body, before)
    if iap is not None:
        made["iap"] = iap
    if made["enableCDN"] and (iap or {}).get("enabled"):
        raise names.wrong(
            "resource.enableCDN", "true", "Cloud CDN cannot be used together with IAP."
        )
    return made


def _groups(call: Call, body: Resource) -> list[Resource]:
    """Return the groups behind a backend service, and check what goes with serverless ones."""
    groups = [_backend(call, one, at) for at, one in enumerate(body.get("backends", []))]
    places = [one["group"].split("/regions/")[1].split("/")[0] for one in groups]
    if len(set(places)) < len(places):
        raise names.wrong(
            "resource.backends",
            ", ".join(one["group"] for one in groups),
            "A backend service has at most one serverless group of a region.",
        )
    for field, harmless in _NOT_FOR_SERVERLESS.items() if groups else ():
        if body.get(field) not in (None, [], harmless):
            raise names.wrong(
                f"resource.{field}",
                body[field],
                f"{field} is not supported for a backend service with Serverless network "
                "endpoint groups.",
            )
    return groups


def _check_headers(body: Resource) -> None:
    for header in body.get("customRequestHeaders", []):
        _check_header("customRequestHeaders", header, VARIABLES)
    for header in body.get("customResponseHeaders", []):
        _check_header("customResponseHeaders", header, frozenset())


def _backend(call: Call, body: Resource, at: int) -> Resource:
    field = f"backends[{at}]"
    if not body.get("group"):
        raise names.required(f"resource.{field}.group")
    key = names.reference(call.cloud, body["group"], f"{field}.group", {"networkEndpointGroups"})
    for limit in (name for name in body if name.startswith("max") and body[name]):
        raise names.wrong(
            f"resource.{field}.{limit}", body[limit], "Serverless groups have no such limit."
        )
    return {"balancingMode": "UTILIZATION", "capacityScaler": 1.0, **body, "group": names.link(key)}


def _iap(body: Resource, before: Resource | None) -> Resource | None:
    """Return the block about IAP as it is shown: a secret is only ever known by its hash."""
    given = body.get("iap")
    if given is None:
        return None
    found = {"enabled": bool(given.get("enabled"))}
    kept = {name: value for name, value in given.items() if name != "oauth2ClientSecret"}
    secret = given.get("oauth2ClientSecret")
    if secret:
        kept["oauth2ClientSecretSha256"] = hashlib.sha256(secret.encode()).hexdigest()
    elif before is not None and "oauth2ClientSecretSha256" in before.get("iap", {}):
        kept["oauth2ClientSecretSha256"] = before["iap"]["oauth2ClientSecretSha256"]
    if bool(kept.get("oauth2ClientId")) != bool(kept.get("oauth2ClientSecretSha256")):
        raise names.wrong(
            "resource.iap", kept.get("oauth2ClientId", ""), "A client has an id and a secret."
        )
    return {**kept, **found}


def _check_header(field: str, header: str, known: frozenset[str]) -> None:
    found = _HEADER.fullmatch(header)
    if found is None:
        raise names.wrong(f"resource.{field}", header, "A header is written as name:value.")
    if found["name"].lower().startswith(("x-goog", "x-google", "host", "connection")):
        raise names.wrong(f"resource.{field}", header, "This header cannot be set.")
    for variable in _VARIABLE.findall(found["value"]):
        if variable not in known:
            raise names.wrong(f"resource.{field}", header, f"There is no variable {variable}.")


def headers(written: list[str], values: dict[str, str]) -> list[tuple[str, str]]:
    """Return custom headers with their variables filled in; what is not known is empty."""
    found = []
    for header in written:
        name, _, value = header.partition(":")
        filled = _VARIABLE.sub(lambda one: values.get(one[1], ""), value)
        found.append((name.strip(), filled.strip()))
    return found


def set_policy(call: Call) -> Resource:
    """Put a security policy in front of a backend service, or take it away."""
    text = call.body.get("securityPolicy")

    def changed(present: Resource) -> Resource:
        kept = {name: value for name, value in present.items() if name != "securityPolicy"}
        if not text:
            return kept
        key = names.reference(call.cloud, text, "securityPolicy", {"securityPolicies"})
        return {**kept, "securityPolicy": names.link(key)}

    return change(BACKENDS, call, "setSecurityPolicy", changed)


BACKENDS = Kind(
    collection="backendServices",
    parameter="backendService",
    word="compute#backendService",
    prepared=prepared,
    output_only=frozenset({"securityPolicy", "edgeSecurityPolicy", "usedBy"}),
    links=("backends.group", "securityPolicy"),
    fingerprint=True,
)
