"""Certificate Manager: what must be there before a certificate is, and what keeps it there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.domains.certificates import Authority
from tests.localcloud.services.compute.load_balancers import COMPUTE, DNS, HOST, MANAGER, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.store import Resource
    from tests.localcloud.conftest import Ask

PLACE = "projects/berth-local/locations/global"
ZONE = {"name": "z", "dnsName": "example.com.", "description": ""}


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """Makes resources and waits for them."""
    return Desk(cloud, ask, clock)


def managed(desk: Desk) -> Resource:
    """Show what is known about the certificate."""
    return dict(desk.ask("GET", f"{MANAGER}/certificates/cert").json()["managed"])


def _put_record(desk: Desk) -> None:
    """Put the authorisation's record into a zone of the project."""
    record = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
    one = {"name": record["name"], "type": record["type"], "ttl": 300, "rrdatas": [record["data"]]}
    assert desk.ask("POST", f"{DNS}/managedZones", ZONE).status == 200
    answer = desk.ask("POST", f"{DNS}/managedZones/z/changes", {"additions": [one]})
    assert answer.status == 200, answer.body


def test_an_authorisation_says_which_record_it_wants(desk: Desk) -> None:
    """A CNAME below the domain, to a name of Google's."""
    desk.certificate()

    record = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]

    assert record["name"] == f"_acme-challenge.{HOST}."
    assert record["type"] == "CNAME"
    assert record["data"].endswith(".authorize.certificatemanager.goog.")


def test_a_certificate_waits_for_its_record(desk: Desk, clock: VirtualClock) -> None:
    """The operation is done at once, the certificate is not; and it says why."""
    desk.certificate()

    clock.advance(86_400)

    found = managed(desk)
    assert found["state"] == "PROVISIONING"
    assert found["provisioningIssue"]["reason"] == "AUTHORIZATION_ISSUE"
    assert found["authorizationAttemptInfo"][0]["failureReason"] == "CONFIG"


def test_the_record_in_a_zone_of_the_project_is_enough(desk: Desk, clock: VirtualClock) -> None:
    """Issuing takes its twenty minutes from then."""
    desk.certificate()
    clock.advance(5000)
    _put_record(desk)

    clock.advance(1000)
    assert managed(desk)["state"] == "PROVISIONING"
    assert "provisioningIssue" not in managed(desk)
    clock.advance(300)

    assert managed(desk)["state"] == "ACTIVE"
    assert managed(desk)["authorizationAttemptInfo"] == [{"domain": HOST, "state": "AUTHORIZED"}]


def test_a_record_with_another_provider_is_enough(desk: Desk) -> None:
    """The zone need not be ours."""
    desk.certificate()

    desk.authorise()

    assert managed(desk)["state"] == "ACTIVE"


def test_a_record_that_is_gone_before_the_end_is_not(desk: Desk, clock: VirtualClock) -> None:
    """It is looked at again when the certificate is issued."""
    desk.certificate()
    record = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
    desk.cloud.resolver.publish(record["name"], "CNAME", record["data"])
    clock.advance(600)

    desk.cloud.resolver.withdraw(record["name"], "CNAME")
    clock.advance(5000)

    assert managed(desk)["state"] == "PROVISIONING"


def test_a_wrong_record_is_not(desk: Desk, clock: VirtualClock) -> None:
    """It must lead where the authorisation says."""
    desk.certificate()

    desk.cloud.resolver.publish(f"_acme-challenge.{HOST}", "CNAME", "elsewhere.example.com.")
    clock.advance(5000)

    assert managed(desk)["state"] == "PROVISIONING"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("example.com", '0 issue "other-ca.test"', "CAA"),
        (HOST, '0 issue ";"', "CAA"),
        ("example.com", '0 issue "pki.goog"', None),
        ("example.com", '0 iodef "mailto:a@example.com"', None),
    ],
)
def test_a_domain_says_who_may_issue(
    desk: Desk, clock: VirtualClock, name: str, data: str, reason: str | None
) -> None:
    """CAA records of the domain or above it."""
    desk.cloud.resolver.publish(name, "CAA", data)
    desk.certificate()
    record = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
    desk.cloud.resolver.publish(record["name"], "CNAME", record["data"])

    clock.advance(5000)

    found = managed(desk)["authorizationAttemptInfo"][0]
    assert found.get("failureReason") == reason


def test_a_certificate_without_authorisation_waits_for_the_load_balancer(
    desk: Desk, clock: VirtualClock
) -> None:
    """The domain must lead to an address where the certificate is shown."""
    desk.backend()
    desk.url_map()
    desk.manager("POST", "/certificates?certificateId=cert", {"managed": {"domains": [HOST]}})
    desk.manager("POST", "/certificateMaps?certificateMapId=cm", {})
    entry = {"hostname": HOST, "certificates": [f"{PLACE}/certificates/cert"]}
    path = "/certificateMaps/cm/certificateMapEntries"
    desk.manager("POST", f"{path}?certificateMapEntryId=main", entry)
    assert desk.ask("GET", f"{MANAGER}{path}/main").json()["state"] == "PENDING"
    desk.proxy()
    address = desk.rule()
    clock.advance(5000)
    assert managed(desk)["state"] == "PROVISIONING"

    desk.cloud.resolver.publish(HOST, "A", address)
    clock.advance(1300)

    assert managed(desk)["state"] == "ACTIVE"
    assert desk.ask("GET", f"{MANAGER}{path}/main").json()["state"] == "ACTIVE"


def test_a_certificate_of_compute_engine_waits_likewise(desk: Desk, clock: VirtualClock) -> None:
    """Its states have names of their own."""
    desk.backend()
    desk.url_map()
    body = {"name": "sc", "type": "MANAGED", "managed": {"domains": [HOST]}}
    desk.post("/global/sslCertificates", body)
    found = desk.get("/global/sslCertificates/sc")["managed"]
    assert (found["status"], found["domainStatus"]) == (
        "PROVISIONING",
        {HOST: "FAILED_NOT_VISIBLE"},
    )
    proxy = {"urlMap": "global/urlMaps/map", "sslCertificates": ["global/sslCertificates/sc"]}
    desk.post("/global/targetHttpsProxies", {"name": "proxy", **proxy})
    desk.cloud.resolver.publish(HOST, "A", desk.rule())

    clock.advance(1300)

    found = desk.get("/global/sslCertificates/sc")
    assert found["managed"] == {
        "domains": [HOST],
        "status": "ACTIVE",
        "domainStatus": {HOST: "ACTIVE"},
    }
    assert desk.ask("DELETE", f"{COMPUTE}/global/sslCertificates/sc").status == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/dnsAuthorizations?dnsAuthorizationId=b", {}, 400),
        ("/dnsAuthorizations?dnsAuthorizationId=b", {"domain": "*.example.com"}, 400),
        ("/dnsAuthorizations?dnsAuthorizationId=b", {"domain": "nothing"}, 400),
        ("/dnsAuthorizations?dnsAuthorizationId=b", {"domain": HOST}, 409),
        ("/dnsAuthorizations?dnsAuthorizationId=auth", {"domain": "b.example.com"}, 409),
        ("/dnsAuthorizations?dnsAuthorizationId=Upper", {"domain": "b.example.com"}, 400),
        ("/dnsAuthorizations", {"domain": "b.example.com"}, 400),
        ("/certificates?certificateId=b", {}, 400),
        ("/certificates?certificateId=b", {"managed": {"domains": []}}, 400),
        ("/certificates?certificateId=b", {"managed": {"domains": ["*.example.com"]}}, 400),
        ("/certificates?certificateId=b", {"managed": {"domains": ["x y"]}}, 400),
        (
            "/certificates?certificateId=b",
            {"managed": {"domains": [f"a{one}.example.com" for one in range(101)]}},
            400,
        ),
        (
            "/certificates?certificateId=b",
            {"managed": {"domains": [HOST], "dnsAuthorizations": [f"{PLACE}/dnsAuthorizations/x"]}},
            404,
        ),
        (
            "/certificates?certificateId=b",
            {
                "managed": {
                    "domains": ["b.example.com"],
                    "dnsAuthorizations": [f"{PLACE}/dnsAuthorizations/auth"],
                }
            },
            400,
        ),
        (
            "/certificates?certificateId=b",
            {"managed": {"domains": [HOST], "issuanceConfig": "x"}},
            501,
        ),
        (
            "/certificates?certificateId=b",
            {"scope": "EDGE_CACHE", "managed": {"domains": [HOST]}},
            501,
        ),
        ("/certificates?certificateId=b", {"selfManaged": {"pemCertificate": "x"}}, 400),
        (
            "/certificates?certificateId=b",
            {"selfManaged": {"pemCertificate": "x", "pemPrivateKey": "y"}},
            400,
        ),
        ("/certificateMaps?certificateMapId=cm", {}, 409),
        ("/certificateMaps?certificateMapId=b", {"labels": {"UPPER": "x"}}, 400),
        ("/certificateMaps/cm/certificateMapEntries?certificateMapEntryId=b", {}, 400),
        (
            "/certificateMaps/cm/certificateMapEntries?certificateMapEntryId=b",
            {"hostname": HOST, "certificates": [f"{PLACE}/certificates/cert"]},
            409,
        ),
        (
            "/certificateMaps/cm/certificateMapEntries?certificateMapEntryId=b",
            {"hostname": "b.example.com", "certificates": [f"{PLACE}/certificates/none"]},
            404,
        ),
        (
            "/certificateMaps/cm/certificateMapEntries?certificateMapEntryId=b",
            {
                "hostname": HOST,
                "matcher": "PRIMARY",
                "certificates": [f"{PLACE}/certificates/cert"],
            },
            400,
        ),
        (
            "/certificateMaps/none/certificateMapEntries?certificateMapEntryId=b",
            {"hostname": "b.example.com", "certificates": [f"{PLACE}/certificates/cert"]},
            404,
        ),
    ],
)
def test_what_cannot_be(desk: Desk, path: str, body: dict[str, Any], status: int) -> None:
    """Domains, authorisations that cover them, certificates that are there."""
    desk.certificate()

    answer = desk.ask("POST", f"{MANAGER}{path}", body)

    assert answer.status == status, answer.body


@pytest.mark.parametrize(
    "path",
    ["/dnsAuthorizations/auth", "/certificates/cert", "/certificateMaps/cm"],
)
def test_what_is_in_use_stays(desk: Desk, path: str) -> None:
    """FAILED_PRECONDITION until what uses it is gone."""
    desk.certificate()

    answer = desk.ask("DELETE", f"{MANAGER}{path}")

    assert (answer.status, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")


def test_a_map_that_a_proxy_goes_by_stays(desk: Desk) -> None:
    """Also without entries."""
    desk.everything()
    desk.manager("DELETE", "/certificateMaps/cm/certificateMapEntries/main")

    answer = desk.ask("DELETE", f"{MANAGER}/certificateMaps/cm")

    assert answer.json()["error"]["status"] == "FAILED_PRECONDITION"
    targets = desk.ask("GET", f"{MANAGER}/certificateMaps/cm").json()["gclbTargets"]
    assert targets[0]["ipConfigs"][0]["ports"] == [443]


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/certificates/cert", "", {"description": "x"}),
        ("/certificates/cert", "?updateMask=managed", {"managed": {"domains": [HOST]}}),
        ("/certificates/cert", "?updateMask=selfManaged", {"selfManaged": {}}),
        ("/dnsAuthorizations/auth", "?updateMask=domain", {"domain": "b.example.com"}),
        (
            "/certificateMaps/cm/certificateMapEntries/main",
            "?updateMask=hostname",
            {"hostname": "b"},
        ),
        ("/certificateMaps/cm/certificateMapEntries/main", "?updateMask=certificates", {}),
    ],
)
def test_changes_that_cannot_be(desk: Desk, path: str, query: str, body: dict[str, Any]) -> None:
    """A mask is needed, and most fields stay as they are."""
    desk.certificate()

    assert desk.ask("PATCH", f"{MANAGER}{path}{query}", body).status == 400


def test_labels_change(desk: Desk) -> None:
    """By mask."""
    desk.certificate()

    desk.manager("PATCH", "/certificates/cert?updateMask=labels", {"labels": {"a": "b"}})

    found = desk.ask("GET", f"{MANAGER}/certificates/cert").json()
    assert found["labels"] == {"a": "b"}
    assert found["managed"]["state"] == "PROVISIONING"


def test_a_brought_certificate_is_shown_without_its_key(desk: Desk, tmp_path: Path) -> None:
    """And can be replaced by a newer one."""
    authority = Authority(tmp_path)

    def body() -> Resource:
        leaf = authority.certificate(HOST)
        return {
            "selfManaged": {
                "pemCertificate": leaf.cert_chain_pems[0].bytes().decode(),
                "pemPrivateKey": leaf.private_key_pem.bytes().decode(),
            }
        }

    desk.manager("POST", "/certificates?certificateId=own", body())
    first = desk.ask("GET", f"{MANAGER}/certificates/own").json()
    desk.manager("PATCH", "/certificates/own?updateMask=selfManaged", body())

    second = desk.ask("GET", f"{MANAGER}/certificates/own").json()
    assert first["sanDnsnames"] == [HOST]
    assert first["pemCertificate"] != second["pemCertificate"]
    assert "PRIVATE KEY" not in str(second)


def test_what_waits_goes_on_after_a_restart(desk: Desk, cloud: Cloud, clock: VirtualClock) -> None:
    """A certificate is issued all the same when the cloud was stopped meanwhile."""
    desk.certificate()
    record = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
    desk.cloud.resolver.publish(record["name"], "CNAME", record["data"])

    cloud.start()
    clock.advance(1300)

    assert managed(desk)["state"] == "ACTIVE"
