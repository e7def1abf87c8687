"""Domains, zones and certificates for the tests of load balancers."""

from typing import Any

from tests.workflows.berth import Berth, Outcome

DOMAIN = "mlflow.example.com"
ZONE = "example-com"
DAY = 86_400.0

RECORDS = "https://dns.googleapis.com/dns/v1/projects/berth-local/managedZones"
MANAGER = "https://certificatemanager.googleapis.com/v1/projects/berth-local/locations/global"
COMPUTE = "https://compute.googleapis.com/compute/v1/projects/berth-local"


def ours(**more: Any) -> dict[str, Any]:
    """Return a load balancer whose zone is in the project."""
    return {"domain": DOMAIN, "dns_zone": ZONE, **more}


def make_zone(berth: Berth) -> None:
    """Make the zone of example.com."""
    berth.ask("POST", RECORDS, {"name": ZONE, "dnsName": "example.com.", "description": ""})


def put_record(berth: Berth, name: str, kind: str, data: str, ttl: int = 300) -> None:
    """Put a record into the zone, as somebody else."""
    record = {"name": name, "type": kind, "ttl": ttl, "rrdatas": [data]}
    berth.ask("POST", f"{RECORDS}/{ZONE}/rrsets", record)


def records(berth: Berth) -> dict[str, list[str]]:
    """Return what stands in the zone, but for what every zone has."""
    found = berth.ask("GET", f"{RECORDS}/{ZONE}/rrsets")["rrsets"]
    return {
        f"{one['name']} {one['type']}": one["rrdatas"]
        for one in found
        if one["type"] not in {"NS", "SOA"}
    }


def certificate(berth: Berth, name: str = "demo") -> dict[str, Any]:
    """Return what Google says of a deployment's certificate."""
    return dict(berth.ask("GET", f"{MANAGER}/certificates/mlflow-{name}")["managed"])


def made_by_hand(berth: Berth, name: str = "demo") -> None:
    """Make, with another provider, the records that a deployment shows."""
    observed = berth.read(f"deployments/{name}/status.json")["observed"]
    for line in observed["dns_records"]:
        host, kind, data = line.split()
        berth.cloud.resolver.publish(host, kind, data)


def until_told(berth: Berth, execution: str) -> Outcome:
    """Let time run until the deployment is READY or FAILED."""
    for _ in range(200):
        berth.clock.advance(10)
        found = berth.outcome("demo", execution)
        if found.state in {"READY", "FAILED"}:
            return found
    raise AssertionError(found.status)
