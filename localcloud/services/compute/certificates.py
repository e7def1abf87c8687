"""SSL certificates of Compute Engine: managed ones, and those that somebody brought."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.domains import brought
from localcloud.errors import ApiError
from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

MANAGED, OWN = "MANAGED", "SELF_MANAGED"
KEYS = "compute.privateKeys"
"""The collection of private keys, which no answer ever shows."""

MOST_DOMAINS = 100
DOMAIN = re.compile(
    r"(?=.{1,253}\.?$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z][-a-z0-9]{0,61}\.?"
)


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a certificate."""
    del before  # certificates never change
    kind = body.get("type", MANAGED if "managed" in body else OWN)
    if kind == MANAGED:
        return _managed({**body, "type": kind})
    return _own(call, {**body, "type": kind})


def _managed(body: Resource) -> Resource:
    for field in ("certificate", "privateKey", "selfManaged"):
        if field in body:
            raise names.wrong(f"resource.{field}", "...", "It is only for self-managed ones.")
    domains = body.get("managed", {}).get("domains", [])
    if not domains:
        raise names.required("resource.managed.domains")
    if len(domains) > MOST_DOMAINS:
        raise names.wrong("resource.managed.domains", len(domains), f"At most {MOST_DOMAINS}.")
    for domain in domains:
        if not DOMAIN.fullmatch(domain):
            raise names.wrong("resource.managed.domains", domain, "It is not a domain name.")
    statuses = dict.fromkeys(domains, "PROVISIONING")
    return {
        **body,
        "managed": {"domains": domains, "status": "PROVISIONING", "domainStatus": statuses},
    }


def _own(call: Call, body: Resource) -> Resource:
    given = {**body.get("selfManaged", {}), **body}
    for field in ("certificate", "privateKey"):
        if not given.get(field):
            raise names.required(f"resource.{field}")
    try:
        found = brought.read(given["certificate"], given["privateKey"])
    except brought.UnreadableError as why:
        raise ApiError(400, str(why), reason=why.reason) from None
    key = f"{names.place(call)}/sslCertificates/{body['name']}"
    call.cloud.store.of(KEYS).put(key, {"privateKey": given["privateKey"]})
    kept = {name: value for name, value in body.items() if name != "privateKey"}
    return {
        **kept,
        "certificate": given["certificate"],
        "selfManaged": {"certificate": given["certificate"]},
        "expireTime": found.expires,
        "subjectAlternativeNames": found.domains,
    }


def settled(cloud: Cloud) -> None:
    """See whether a new certificate can be issued already."""
    cloud.issuance.consider()


CERTIFICATES = Kind(
    collection="sslCertificates",
    parameter="sslCertificate",
    word="compute#sslCertificate",
    prepared=prepared,
    output_only=frozenset({"expireTime", "subjectAlternativeNames"}),
    changed=settled,
    use="get",
)
