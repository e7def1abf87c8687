"""Records: what has to stand in the domain's zone, whoever looks after that."""

from planner.observed import NotObservedError, Observed
from planner.target import Target, escaped
from schemas.deployment import DnsRecord
from schemas.network import LoadBalancer
from schemas.plan import Check, Demand, Need, Request, Resource

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


def needs(target: Target, balancer: LoadBalancer) -> tuple[Need, ...]:
    """Return what has to be true of the zone for the records to lead anybody here."""
    if balancer.dns_zone is None:
        return ()
    domain, zone = balancer.domain, balancer.dns_zone
    return (
        _zone(target, domain, zone),
        _nothing_else(
            target,
            zone,
            f"{domain}.",
            "CNAME",
            otherwise="it leads to <found>, and a name with a CNAME record can have no other",
        ),
        # Google's servers would tell it, and whoever has IPv6 would try it first.
        _nothing_else(
            target,
            zone,
            f"{domain}.",
            "AAAA",
            otherwise="it leads to <found>, and the load balancer has an IPv4 address only: whoever "
            "has IPv6 would never arrive at it",
        ),
    )


def _zone(target: Target, domain: str, zone: str) -> Need:
    labels = domain.split(".")
    above = tuple(".".join((*labels[at:], "")) for at in range(len(labels)))
    instead = "or leave dns_zone out and make the records yourself"
    zones = f"gcloud dns managed-zones list --project={target.project}"
    return Need(
        name="dns_zone",
        title=f"DNS zone {zone}",
        url=f"{DNS}/projects/{target.project}/managedZones/{zone}",
        pointer="/load_balancer/dns_zone",
        absent=f"project {target.project} has none of this name; dns_zone is the zone's name, not "
        f"its domain. Name one that holds {domain} ({zones}), {instead}",
        demands=(
            Demand(
                path=("visibility",),
                value="public",
                otherwise="it is <found>: only the project's networks see what stands in it, so "
                f"neither callers nor Google's certificates would find {domain}. Name a public one "
                f"({zones}), {instead}",
            ),
            Demand(
                path=("dnsName",),
                value=None,
                among=above,
                otherwise=f"it holds <found>, and {domain} does not lie in that. Name the zone that "
                f"holds it ({zones}), choose a domain below <found>, {instead}",
            ),
        ),
    )


def _nothing_else(target: Target, zone: str, name: str, kind: str, *, otherwise: str) -> Need:
    """Return the need that a name has no records of a kind; the zone may keep any others."""
    remove = f"gcloud dns record-sets delete {name} --zone={zone} --type={kind}"
    return Need(
        name=f"no_{kind.lower()}_record",
        title=f"DNS record {name} {kind}",
        url=f"{_records(target, zone)}/{escaped(name)}/{kind}",
        pointer="/load_balancer/domain",
        demands=(
            # One that is there always says something.
            Demand(
                path=("rrdatas",),
                value=[],
                otherwise=f"{otherwise}. If nobody needs it: {remove} --project={target.project}; "
                "or choose another domain",
            ),
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
    records = _records(target, zone)
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


def _records(target: Target, zone: str) -> str:
    return f"{DNS}/projects/{target.project}/managedZones/{zone}/rrsets"


def _known(observed: Observed, name: str) -> str:
    value = observed.get(name)
    if not isinstance(value, str) or not value:
        raise NotObservedError(name)
    return value
