"""The load balancer in this process: who is let through, to what, and with which headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import ConnectionFailed
from tests.localcloud.services.compute.load_balancers import (
    COMPUTE,
    DNS,
    HOST,
    MANAGER,
    ROOT,
    RUN,
    Desk,
    rule,
)

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud, Response
    from tests.localcloud.conftest import Ask

URL = f"https://{HOST}/"


@pytest.fixture
def seen() -> list[dict[str, Any]]:
    """What the application was asked."""
    return []


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock, seen: list[dict[str, Any]]) -> Desk:
    """A whole load balancer in front of an application that answers."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.append(environ)
        start("200 OK", [("content-type", "text/plain")])
        return [b"hello"]

    made = Desk(cloud, ask, clock)
    made.service()
    made.mount(app)
    made.everything()
    return made


def visit(desk: Desk, url: str = URL, *, client: str = "198.51.100.7", **headers: str) -> Response:
    """Ask the load balancer as somebody."""
    found: Response = desk.cloud.balancer.request("GET", url, headers=headers, client=client)
    return found


def patch(desk: Desk, path: str, body: object) -> None:
    """Change something and wait for it."""
    desk.done(desk.ask("PATCH", f"{COMPUTE}{path}", body))


def test_a_member_of_the_public_gets_through(desk: Desk, seen: list[dict[str, Any]]) -> None:
    """The service gets the host as asked, who asked and where."""
    answer = visit(desk, f"{URL}a?b=c", **{"X-Forwarded-For": "8.8.8.8"})

    assert (answer.status, answer.body) == (200, b"hello")
    address = desk.get("/global/addresses/ip")["address"]
    assert seen[0]["HTTP_HOST"] == HOST
    assert seen[0]["HTTP_X_FORWARDED_FOR"] == f"8.8.8.8, 198.51.100.7, {address}"
    assert seen[0]["HTTP_VIA"] == "1.1 google"
    assert (seen[0]["PATH_INFO"], seen[0]["QUERY_STRING"]) == ("/a", "b=c")


@pytest.mark.parametrize(
    ("ingress", "status"),
    [
        ("INGRESS_TRAFFIC_ALL", 200),
        ("INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER", 200),
        ("INGRESS_TRAFFIC_INTERNAL_ONLY", 404),
        ("INGRESS_TRAFFIC_NONE", 404),
    ],
)
def test_ingress_settings_let_the_load_balancer_in(desk: Desk, ingress: str, status: int) -> None:
    """Two of the four do."""
    desk.service(ingress=ingress)

    assert visit(desk).status == status


def test_the_services_own_url_is_closed(desk: Desk) -> None:
    """404 from outside; a service without a default URL is reached all the same."""
    own = "mlflow-123456789012.europe-west1.run.app"
    assert desk.cloud.request("GET", f"https://{own}/").status == 404

    desk.service(ingress="INGRESS_TRAFFIC_ALL", defaultUriDisabled=True)

    assert desk.cloud.ingress.hosts.find(own, "/") is None
    assert visit(desk).status == 200


def test_the_service_still_checks_its_callers(desk: Desk) -> None:
    """The load balancer is no invoker: a token for the service is needed as ever."""
    desk.service(invokerIamDisabled=False)
    desk.cloud.grant("user:ana@example.com", "roles/run.invoker")
    own = "https://mlflow-123456789012.europe-west1.run.app"
    token = desk.cloud.tokens.id_token("ana@example.com", own)

    assert visit(desk).status == 403
    assert visit(desk, Authorization=f"Bearer {token}").status == 200


def test_a_policy_refuses_before_anything_else(desk: Desk, seen: list[dict[str, Any]]) -> None:
    """By the address, not by what a header claims."""
    desk.policy("203.0.113.0/24")
    attach = {"securityPolicy": f"{ROOT}/global/securityPolicies/armor"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)

    refused = visit(desk, **{"X-Forwarded-For": "203.0.113.5"})

    assert refused.status == 403
    assert seen == []
    assert visit(desk, client="203.0.113.5").status == 200


def test_a_long_list_is_split_over_rules(desk: Desk) -> None:
    """Ten ranges to a rule, and as many rules as it takes."""
    ranges = [f"10.{one}.0.0/16" for one in range(25)]
    rules = [rule(1000 + at, "allow", *ranges[at : at + 10]) for at in range(0, 25, 10)]
    rules.append(rule(2147483647, "deny(404)", "*"))
    desk.post("/global/securityPolicies", {"name": "long", "rules": rules})
    attach = {"securityPolicy": f"{ROOT}/global/securityPolicies/long"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)

    assert visit(desk, client="10.24.0.1").status == 200
    assert visit(desk, client="10.25.0.1").status == 404


def test_iap_is_not_passed_by(desk: Desk, seen: list[dict[str, Any]]) -> None:
    """Nobody without a proof gets through a backend service with IAP."""
    patch(desk, "/global/backendServices/be", {"iap": {"enabled": True}})

    assert visit(desk).status != 200
    assert seen == []


@pytest.mark.parametrize(
    "gone",
    ["A", "certificate"],
)
def test_without_name_or_certificate_nobody_answers(desk: Desk, gone: str) -> None:
    """The connection fails: there is no host, or no handshake."""
    if gone == "A":
        desk.cloud.resolver.withdraw(HOST, "A")
    else:
        desk.manager("DELETE", "/certificateMaps/cm/certificateMapEntries/main")

    with pytest.raises(ConnectionFailed):
        desk.cloud.request("GET", URL)


def test_before_the_certificate_is_issued_there_is_no_handshake(
    cloud: Cloud, ask: Ask, clock: VirtualClock
) -> None:
    """Everything may stand; without the certificate nobody gets in."""
    desk = Desk(cloud, ask, clock)
    desk.service()
    desk.backend()
    desk.url_map()
    desk.certificate()
    desk.proxy()
    cloud.resolver.publish(HOST, "A", desk.rule())

    with pytest.raises(ConnectionFailed, match="certificate"):
        cloud.request("GET", URL)


def test_a_record_of_the_projects_zone_leads_in(desk: Desk) -> None:
    """Instead of one with another provider."""
    desk.cloud.resolver.withdraw(HOST, "A")
    address = desk.get("/global/addresses/ip")["address"]
    zone = {"name": "z", "dnsName": "example.com.", "description": ""}
    desk.ask("POST", f"{DNS}/managedZones", zone)
    one = {"name": f"{HOST}.", "type": "A", "ttl": 300, "rrdatas": [address]}
    desk.ask("POST", f"{DNS}/managedZones/z/changes", {"additions": [one]})

    assert desk.cloud.request("GET", URL).status == 200


def test_a_missing_service_is_not_found(desk: Desk) -> None:
    """The group names a service that nobody made, or that is gone."""
    desk.cloud.store.of("run").delete(RUN)

    assert visit(desk).status == 404


def test_a_backend_service_without_groups_is_unhealthy(desk: Desk) -> None:
    """503, as long as nothing is behind it."""
    patch(desk, "/global/backendServices/be", {"backends": []})

    assert visit(desk).status == 503


@pytest.mark.parametrize(
    ("mask", "host", "path", "status"),
    [
        ("<service>.example.com", HOST, "/", 200),
        ("<service>.example.com", HOST, "/deeper", 200),
        ("<service>.example.org", HOST, "/", 404),
        ("/<service>", HOST, "/mlflow/x", 200),
        ("/<service>", HOST, "/other", 404),
        ("<tag>.example.com/<service>", HOST, "/mlflow", 404),
    ],
)
def test_a_mask_reads_the_service_from_the_url(
    desk: Desk, mask: str, host: str, path: str, status: int
) -> None:
    """From the host or the path; a tag must be one the service has."""
    group = {"networkEndpointType": "SERVERLESS", "cloudRun": {"urlMask": mask}}
    desk.post("/regions/europe-west1/networkEndpointGroups", {"name": "masked", **group})
    link = f"{ROOT}/regions/europe-west1/networkEndpointGroups/masked"
    patch(desk, "/global/backendServices/be", {"backends": [{"group": link}]})

    assert visit(desk, f"https://{host}{path}").status == status


def test_headers_are_added_both_ways(desk: Desk, seen: list[dict[str, Any]]) -> None:
    """What the backend service says, with its variables; clients cannot set them."""
    body = {
        "customRequestHeaders": ["X-Client:{client_ip_address}", "X-Where:{client_region}"],
        "customResponseHeaders": ["Strict-Transport-Security: max-age=1"],
    }
    patch(desk, "/global/backendServices/be", body)

    answer = visit(desk, **{"X-Client": "forged"})

    assert seen[0]["HTTP_X_CLIENT"] == "198.51.100.7"
    assert seen[0]["HTTP_X_WHERE"] == ""
    assert answer.headers["Strict-Transport-Security"] == "max-age=1"


def test_a_preview_is_only_logged(desk: Desk) -> None:
    """The request passes; the log says what would have been."""
    rules = [
        rule(1, "deny(403)", "198.51.100.0/24", preview=True),
        rule(2147483647, "allow", "*"),
    ]
    desk.post("/global/securityPolicies", {"name": "try", "rules": rules})
    attach = {"securityPolicy": f"{ROOT}/global/securityPolicies/try"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)

    assert visit(desk).status == 200

    body = {"resourceNames": ["projects/berth-local"], "filter": "http_load_balancer"}
    body["filter"] = 'resource.type="http_load_balancer"'
    found = desk.ask("POST", "logging.googleapis.com/v2/entries:list", body).json()["entries"][0]
    assert found["jsonPayload"]["previewSecurityPolicy"]["outcome"] == "DENY"
    assert found["jsonPayload"]["enforcedSecurityPolicy"]["outcome"] == "ACCEPT"


def test_nothing_is_logged_unless_it_is_asked_for(desk: Desk) -> None:
    """The backend service's logConfig decides."""
    patch(desk, "/global/backendServices/be", {"logConfig": {"enable": False}})
    visit(desk)

    body = {
        "resourceNames": ["projects/berth-local"],
        "filter": 'resource.type="http_load_balancer"',
    }
    found = desk.ask("POST", "logging.googleapis.com/v2/entries:list", body).json()
    assert "entries" not in found


def test_a_primary_entry_is_for_every_other_name(desk: Desk) -> None:
    """A client whose name no entry has is shown the primary certificate."""
    certificate = "projects/berth-local/locations/global/certificates/cert"
    path = "/certificateMaps/cm/certificateMapEntries"
    shown = desk.cloud.balancer.certificates.shown
    rule_key = "projects/berth-local/global/forwardingRules/fr"
    assert shown(rule_key, "other.example.com") is None

    entry = {"matcher": "PRIMARY", "certificates": [certificate]}
    desk.manager("POST", f"{path}?certificateMapEntryId=any", entry)

    assert shown(rule_key, "other.example.com") is not None
    assert not desk.cloud.balancer.certificates.covers(rule_key, "other.example.com")
    assert desk.ask("GET", f"{MANAGER}{path}/any").json()["state"] == "ACTIVE"
