"""A load balancer in front of a Cloud Run service, as gcp.md A.12 to A.14 puts it together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.cloud import OWNER
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.store import Resource
    from tests.localcloud.conftest import Ask

HOST = "mlflow.example.com"
COMPUTE = "compute.googleapis.com/compute/v1/projects/berth-local"
ROOT = "https://www.googleapis.com/compute/v1/projects/berth-local"
MANAGER = "certificatemanager.googleapis.com/v1/projects/berth-local/locations/global"
DNS = "dns.googleapis.com/dns/v1/projects/berth-local"
RUN = "projects/berth-local/locations/europe-west1/services/mlflow"
APIS = (
    "compute.googleapis.com",
    "certificatemanager.googleapis.com",
    "dns.googleapis.com",
    "servicenetworking.googleapis.com",
)
BY_ADDRESS = "SRC_IPS_V1"


class Desk:
    """Makes what a load balancer consists of, and waits for each operation."""

    def __init__(self, cloud: Cloud, ask: Ask, clock: VirtualClock | None) -> None:
        """Ask as the project's owner."""
        self.cloud = cloud
        self.ask = ask
        self._clock = clock
        cloud.enable(*APIS)

    def post(self, path: str, body: object) -> Resource:
        """Call Compute Engine and give the operation as it ended."""
        return self.done(self.ask("POST", f"{COMPUTE}{path}", body))

    def refused(self, path: str, body: object) -> tuple[int, str]:
        """Call Compute Engine in vain and give the status and the message."""
        answer = self.ask("POST", f"{COMPUTE}{path}", body)
        error = answer.json().get("error", {})
        return answer.status, str(error.get("message", answer.body))

    def delete(self, path: str) -> Resource:
        """Delete something of Compute Engine and give the operation as it ended."""
        return self.done(self.ask("DELETE", f"{COMPUTE}{path}"))

    def get(self, path: str) -> Resource:
        """Show something of Compute Engine."""
        answer = self.ask("GET", f"{COMPUTE}{path}")
        assert answer.status == 200, answer.body
        return dict(answer.json())

    def done(self, answer: Any) -> Resource:
        """Wait for an operation of Compute Engine."""
        assert answer.status == 200, answer.body
        link = answer.json()["selfLink"].removeprefix(f"{ROOT}")
        found = self.ask("POST", f"{COMPUTE}{link}/wait").json()
        assert found["status"] == "DONE", found
        return dict(found)

    def manager(self, method: str, path: str, body: object = None) -> Resource:
        """Call Certificate Manager and give the operation as it ended."""
        answer = self.ask(method, f"{MANAGER}{path}", body)
        assert answer.status == 200, answer.body
        name = answer.json()["name"]
        url = f"certificatemanager.googleapis.com/v1/{name}"
        self.until(lambda: self.ask("GET", url).json()["done"])
        return dict(self.ask("GET", url).json())

    def until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """Let the virtual time pass, or wait on the real clock, until something is so."""
        if self._clock is not None:
            self._clock.advance(seconds)
            assert done()
            return
        eventually(done)

    def service(self, **fields: object) -> Resource:
        """Put a Cloud Run service that serves into the store; who answers is mounted."""
        revision = f"{RUN}/revisions/mlflow-00001-abc"
        made = {
            "name": RUN,
            "ingress": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
            "invokerIamDisabled": True,
            "template": {},
            "traffic": [],
            "trafficStatuses": [
                {
                    "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST",
                    "revision": "mlflow-00001-abc",
                    "percent": 100,
                }
            ],
            "latestReadyRevision": revision,
            **fields,
        }
        run = self.cloud.store.of("run")
        container = {"image": "x", "ports": [{"containerPort": 8080}]}
        run.put(
            revision,
            {"name": revision, "containers": [container], "containerStatuses": []},
        )
        return run.put(RUN, made)

    def mount(self, app: Callable[..., Any]) -> None:
        """Have a WSGI application answer for the service."""
        self.cloud.ingress.mount("mlflow-123456789012.europe-west1.run.app", app)

    def policy(self, *ranges: str, name: str = "armor") -> None:
        """Make a security policy that lets some ranges in."""
        rules = [rule(1000, "allow", *ranges), rule(2147483647, "deny(403)", "*")]
        self.post("/global/securityPolicies", {"name": name, "rules": rules})

    def backend(self, **fields: object) -> None:
        """Make the group and the backend service."""
        self.post(
            "/regions/europe-west1/networkEndpointGroups",
            {
                "name": "neg",
                "networkEndpointType": "SERVERLESS",
                "cloudRun": {"service": "mlflow"},
            },
        )
        group = f"{ROOT}/regions/europe-west1/networkEndpointGroups/neg"
        self.post(
            "/global/backendServices",
            {
                "name": "be",
                "protocol": "HTTPS",
                "loadBalancingScheme": "EXTERNAL_MANAGED",
                "backends": [{"group": group}],
                "logConfig": {"enable": True, "sampleRate": 1.0},
                **fields,
            },
        )

    def url_map(self, **fields: object) -> None:
        """Make the URL map."""
        given = fields or {"defaultService": f"{ROOT}/global/backendServices/be"}
        self.post("/global/urlMaps", {"name": "map", **given})

    def certificate(self) -> None:
        """Make authorisation, certificate, map and entry; the certificate waits for DNS."""
        place = "projects/berth-local/locations/global"
        self.manager("POST", "/dnsAuthorizations?dnsAuthorizationId=auth", {"domain": HOST})
        managed = {"domains": [HOST], "dnsAuthorizations": [f"{place}/dnsAuthorizations/auth"]}
        self.manager("POST", "/certificates?certificateId=cert", {"managed": managed})
        self.manager("POST", "/certificateMaps?certificateMapId=cm", {})
        self.manager(
            "POST",
            "/certificateMaps/cm/certificateMapEntries?certificateMapEntryId=main",
            {"hostname": HOST, "certificates": [f"{place}/certificates/cert"]},
        )

    def proxy(self) -> None:
        """Make the HTTPS proxy with the certificate map."""
        place = "//certificatemanager.googleapis.com/projects/berth-local/locations/global"
        self.post(
            "/global/targetHttpsProxies",
            {
                "name": "proxy",
                "urlMap": f"{ROOT}/global/urlMaps/map",
                "certificateMap": f"{place}/certificateMaps/cm",
            },
        )

    def rule(self) -> str:
        """Make address and forwarding rule and give the address."""
        self.post("/global/addresses", {"name": "ip", "ipVersion": "IPV4"})
        self.post(
            "/global/forwardingRules",
            {
                "name": "fr",
                "IPAddress": f"{ROOT}/global/addresses/ip",
                "IPProtocol": "TCP",
                "portRange": "443-443",
                "target": f"{ROOT}/global/targetHttpsProxies/proxy",
                "loadBalancingScheme": "EXTERNAL_MANAGED",
                "networkTier": "PREMIUM",
            },
        )
        return str(self.get("/global/addresses/ip")["address"])

    def authorise(self) -> None:
        """Put the record of the authorisation where it belongs, and wait for the certificate."""
        record = self.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
        self.cloud.resolver.publish(record["name"], record["type"], record["data"])
        certificate = f"{MANAGER}/certificates/cert"
        self.until(
            lambda: self.ask("GET", certificate).json()["managed"]["state"] == "ACTIVE", 1200
        )

    def everything(self) -> str:
        """Make all of it, with DNS, and give the address."""
        self.backend()
        self.url_map()
        self.certificate()
        self.proxy()
        address = self.rule()
        self.cloud.resolver.publish(HOST, "A", address)
        self.authorise()
        return address


def rule(priority: int, action: str, *ranges: str, **fields: object) -> Resource:
    """Write one rule of a security policy."""
    match = {"versionedExpr": BY_ADDRESS, "config": {"srcIpRanges": list(ranges)}}
    return {"priority": priority, "action": action, "match": match, **fields}


def refused(answer: Any) -> tuple[int, str, str]:
    """Give status, reason and message of a refusal in the older style."""
    error = answer.json()["error"]
    assert answer.status == error["code"]
    return answer.status, error["errors"][0]["reason"], error["message"]


__all__ = ["COMPUTE", "DNS", "HOST", "MANAGER", "OWNER", "ROOT", "RUN", "Desk", "refused", "rule"]
