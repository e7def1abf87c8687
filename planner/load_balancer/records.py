"""Records: what has to stand in the domain's zone, whoever looks after that."""

from planner.observed import NotObservedError, Observed
from planner.target import Target, escaped
from schemas.deployment import DnsRecord
from schemas.network import LoadBalancer
from schemas.plan import Check, Request, Resource

DNS = "https://dns.googleapis.com/dns/v1"
SECONDS_TO_LIVE = 300


def wanted(domain: str, observed: Observed) -> tuple[DnsRecord, ...]:
    """Return the record that leads to the load balancer, and the one the certificate needs."""
    return (
        DnsRecord(name=f"{domain}.", type="A", data=_known(observed, "address")),
        DnsRecord(
            name=_known(observed, "dns_record_name"),
            type="CNAME",
            data=_known(observed, "dns_record_data"),
        ),
    )


def steps(target: Target, balancer: LoadBalancer, observed: Observed) -> tuple[Resource, ...]:
    """Return the records as steps, where the zone is one of this project."""
    if balancer.dns_zone is None:
        return ()
    return tuple(
        _record(target, balancer.dns_zone, record) for record in wanted(balancer.domain, observed)
    )


def _record(target: Target, zone: str, record: DnsRecord) -> Resource:
    records = f"{DNS}/projects/{target.project}/managedZones/{zone}/rrsets"
    where = f"{records}/{escaped(record.name)}/{record.type}"
    return Resource(
        name=f"{record.type.lower()}_record",
        title=f"DNS record {record.name} {record.type} {record.data}",
        url=where,
        # A record carries no mark, so its value tells: another value is somebody else's, stays
        # untouched and is an error, at removal as well. One of the right value that nobody has
        # claimed is somebody else's, too, but of use.
        mark=Check(path=("rrdatas",), value=[record.data]),
        spare=True,
        create=Request(
            method="POST",
            url=records,
            body={
                "name": record.name,
                "type": record.type,
                "ttl": SECONDS_TO_LIVE,
                "rrdatas": [record.data],
            },
        ),
        remove=(Request(method="DELETE", url=where),),
    )


def _known(observed: Observed, name: str) -> str:
    value = observed.get(name)
    if not isinstance(value, str) or not value:
        raise NotObservedError(name)
    return value
