"""URL maps, proxies, forwarding rules and certificates: what is taken, and what refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.domains.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localcloud.services.compute.load_balancers import Desk


# -- URL maps, proxies, rules -------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {
            "defaultService": "global/backendServices/be",
            "defaultUrlRedirect": {"httpsRedirect": True},
        },
        {"defaultUrlRedirect": {}},
        {"defaultUrlRedirect": {"pathRedirect": "/a", "prefixRedirect": "/b"}},
        {"defaultUrlRedirect": {"pathRedirect": "a"}},
        {"hosts": ["*"]},
        {"hosts": ["a.example.com"], "matcher": "none"},
        {"hosts": ["a.example.com", "a.example.com"]},
        {"hosts": ["a*.example.com"]},
        {"hosts": []},
        {"paths": ["x"]},
        {"paths": ["/x*"]},
        {"paths": ["/x/*/y"]},
        {"paths": ["/x", "/x"]},
        {"defaultRouteAction": {}, "defaultService": "global/backendServices/be"},
        {"tests": [], "headerAction": {}, "defaultService": "global/backendServices/be"},
    ],
)
def test_url_maps_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    """One destination each, patterns of the right form, rules that lead somewhere."""
    desk.backend()
    service = "global/backendServices/be"
    given = dict(body)
    if "hosts" in body or "paths" in body:
        paths = given.pop("paths", ["/x"])
        hosts, matcher = given.pop("hosts", ["a.example.com"]), given.pop("matcher", "pm")
        given = {
            "defaultService": service if hosts != ["*"] else None,
            "hostRules": [{"hosts": hosts, "pathMatcher": matcher}],
            "pathMatchers": [
                {
                    "name": "pm",
                    "defaultService": service,
                    "pathRules": [{"paths": paths, "service": service}],
                }
            ],
        }

    assert desk.refused("/global/urlMaps", {"name": "map", **given})[0] in {400, 501}


@pytest.mark.parametrize(
    "fields",
    [
        {"urlMap": None},
        {"urlMap": "global/urlMaps/none"},
        {"sslCertificates": None},
        {"sslCertificates": ["global/sslCertificates/none"]},
        {"certificateMap": "cm"},
        {
            "certificateMap": "//certificatemanager.googleapis.com/projects/berth-local/locations/global/certificateMaps/none"
        },
        {"sslPolicy": "global/sslPolicies/modern"},
        {"proxyBind": True},
    ],
)
def test_proxies_that_cannot_be(desk: Desk, fields: dict[str, Any]) -> None:
    """A map and a certificate, which must be there."""
    desk.backend()
    desk.url_map()
    managed = {"name": "sc", "type": "MANAGED", "managed": {"domains": ["a.example.com"]}}
    desk.post("/global/sslCertificates", managed)
    body: dict[str, Any] = {"name": "proxy", "urlMap": "global/urlMaps/map"}
    body |= {"sslCertificates": ["global/sslCertificates/sc"], **fields}

    assert desk.refused("/global/targetHttpsProxies", body)[0] in {400, 404, 501}


@pytest.mark.parametrize(
    "fields",
    [
        {"target": None},
        {"target": "global/urlMaps/map"},
        {"target": "global/targetHttpsProxies/none"},
        {"portRange": None},
        {"portRange": "80"},
        {"portRange": "443-444"},
        {"portRange": "https"},
        {"IPProtocol": "UDP"},
        {"IPAddress": "203.0.113.250"},
        {"IPAddress": "none"},
        {"IPAddress": "regions/europe-west1/addresses/near"},
        {"IPAddress": "global/addresses/range"},
        {"loadBalancingScheme": "EXTERNAL"},
        {"loadBalancingScheme": "INTERNAL_MANAGED"},
        {"networkTier": "STANDARD"},
        {"labels": {"a": "b"}},
        {"allPorts": True},
    ],
)
def test_forwarding_rules_that_cannot_be(desk: Desk, fields: dict[str, Any]) -> None:
    """The port of the proxy, a global external address, one scheme throughout."""
    desk.backend()
    desk.url_map()
    desk.certificate()
    desk.proxy()
    desk.post("/regions/europe-west1/addresses", {"name": "near"})
    body = {
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 20,
        "network": "global/networks/default",
    }
    desk.post("/global/addresses", {"name": "range", **body})
    wanted = {
        "name": "fr",
        "portRange": "443",
        "target": "global/targetHttpsProxies/proxy",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
        **fields,
    }

    assert desk.refused("/global/forwardingRules", wanted)[0] in {400, 404, 501}


def test_two_rules_cannot_share_address_and_port(desk: Desk) -> None:
    """The second is told that the address is in use."""
    desk.everything()
    body = {
        "name": "second",
        "IPAddress": "ip",
        "portRange": "443",
        "target": "global/targetHttpsProxies/proxy",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
    }

    status, message = desk.refused("/global/forwardingRules", body)

    assert status == 400
    assert "in-use" in message


def test_a_rule_without_address_gets_one(desk: Desk) -> None:
    """An ephemeral one, which nobody has reserved."""
    desk.everything()
    body = {
        "name": "second",
        "portRange": "443",
        "target": "global/targetHttpsProxies/proxy",
        "loadBalancingScheme": "EXTERNAL_MANAGED",
    }

    desk.post("/global/forwardingRules", body)

    other = desk.get("/global/forwardingRules/second")["IPAddress"]
    assert other != desk.get("/global/addresses/ip")["address"]


# -- certificates -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"managed": {"domains": []}},
        {"managed": {"domains": ["*.example.com"]}},
        {"managed": {"domains": ["nothing"]}},
        {"managed": {"domains": [f"a{one}.example.com" for one in range(101)]}},
        {"managed": {"domains": ["a.example.com"]}, "privateKey": "x"},
        {"certificate": "x"},
        {"certificate": "x", "privateKey": "y"},
        {"type": "SELF_MANAGED"},
    ],
)
def test_certificates_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    """Domains that are some, or a chain with its key."""
    assert desk.refused("/global/sslCertificates", {"name": "sc", **body})[0] == 400


def test_a_certificate_and_a_foreign_key_are_refused(desk: Desk, tmp_path: Path) -> None:
    """They must belong together."""
    authority = Authority(tmp_path)
    one, two = authority.certificate("a.example.com"), authority.certificate("a.example.com")
    body = {
        "name": "sc",
        "certificate": one.cert_chain_pems[0].bytes().decode(),
        "privateKey": two.private_key_pem.bytes().decode(),
    }

    assert "do not match" in desk.refused("/global/sslCertificates", body)[1]


def test_a_brought_certificate_shows_all_but_its_key(desk: Desk, tmp_path: Path) -> None:
    """Names and end are read from it; the key is never seen again."""
    leaf = Authority(tmp_path).certificate("a.example.com")
    body = {
        "name": "sc",
        "certificate": leaf.cert_chain_pems[0].bytes().decode(),
        "privateKey": leaf.private_key_pem.bytes().decode(),
    }

    desk.post("/global/sslCertificates", body)

    shown = desk.get("/global/sslCertificates/sc")
    assert shown["subjectAlternativeNames"] == ["a.example.com"]
    assert shown["expireTime"]
    assert "privateKey" not in shown
