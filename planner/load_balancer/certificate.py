"""Certificate: the authorisation that it is issued upon, the certificate, and the way to it."""

from collections.abc import Mapping
from typing import Any

from planner import marks
from planner.target import Target
from schemas.network import LoadBalancer
from schemas.plan import Operations, Request, Resource

CERTIFICATES = "https://certificatemanager.googleapis.com/v1"


def authorization(target: Target, balancer: LoadBalancer) -> Resource:
    """Return the authorisation: it says which record proves that the domain is the team's."""
    return _resource(
        target,
        "dns_authorization",
        title=f"DNS authorisation of {balancer.domain}",
        collection="dnsAuthorizations",
        body={"domain": balancer.domain, "type": "FIXED_RECORD"},
        outputs={
            "dns_record_name": ("dnsResourceRecord", "name"),
            "dns_record_data": ("dnsResourceRecord", "data"),
        },
    )


def steps(target: Target, balancer: LoadBalancer) -> tuple[Resource, ...]:
    """Return the certificate, and the map by which the proxy finds it.

    Being made is enough: Google issues it minutes or days later, when the record is there.
    """
    return (
        _resource(
            target,
            "certificate",
            title=f"certificate of {balancer.domain}",
            collection="certificates",
            body={
                "scope": "DEFAULT",
                "managed": {
                    "domains": [balancer.domain],
                    "dnsAuthorizations": [_name(target, "dnsAuthorizations")],
                },
            },
            outputs={"certificate_name": ("name",)},
        ),
        _resource(
            target,
            "certificate_map",
            title=f"certificate map {target.service}",
            collection="certificateMaps",
            body={},
        ),
        _resource(
            target,
            "certificate_map_entry",
            title=f"entry for {balancer.domain} in certificate map {target.service}",
            collection=f"certificateMaps/{target.service}/certificateMapEntries",
            body={"hostname": balancer.domain, "certificates": [_name(target, "certificates")]},
        ),
    )


def map_link(target: Target) -> str:
    """Return the map as a proxy refers to it."""
    return f"//certificatemanager.googleapis.com/{_name(target, 'certificateMaps')}"


def _name(target: Target, collection: str) -> str:
    return f"projects/{target.project}/locations/global/{collection}/{target.service}"


def _resource(
    target: Target,
    name: str,
    *,
    title: str,
    collection: str,
    body: Mapping[str, Any],
    outputs: Mapping[str, tuple[str, ...]] | None = None,
) -> Resource:
    where = f"{CERTIFICATES}/{_name(target, collection)}"
    kind = collection.rsplit("/", 1)[-1]
    # dnsAuthorizations → dnsAuthorizationId, certificateMapEntries → certificateMapEntryId
    parameter = (kind.removesuffix("ies") + "y" if kind.endswith("ies") else kind[:-1]) + "Id"
    return Resource(
        name=name,
        title=title,
        url=where,
        mark=marks.owned(target, "labels"),
        create=Request(
            method="POST",
            url=f"{where.rsplit('/', 1)[0]}?{parameter}={target.service}",
            body={**body, "labels": target.labels},
        ),
        operation=Operations(base=f"{CERTIFICATES}/", dialect="done", shown_late=True),
        remove=(Request(method="DELETE", url=where),),
        outputs=dict(outputs or {}),
    )
