"""The pitfalls of the load balancer: Compute Engine, Certificate Manager and Cloud DNS."""

import ipaddress
import re
from typing import Any

from tests.planner.conftest import NUMBER
from tests.planner.every_body import keys, never_sent, only, orders, sent

COMPUTE = r"^https://compute\."
BACKENDS = r"/backendServices$"
RULES = r"/forwardingRules$"
POLICIES = r"/securityPolicies$"
GROUPS = r"/networkEndpointGroups$"
RECORDS = r"^https://dns\..*/rrsets$"
CERTIFICATES = r"^https://certificatemanager\."
LINK = r"https://www\.googleapis\.com/compute/v1/projects/acme-mlflow/"
LAST = 2147483647


def made_before(pattern: str) -> set[str]:
    """Return the deployments that send such a body."""
    return {call.order for call in sent(pattern)}


def test_names_are_ones_that_compute_engine_takes() -> None:
    """Names: 63 characters, beginning with a letter and not ending in a hyphen."""
    for call in sent(COMPUTE):
        if "name" in call.body:
            assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", call.body["name"]), call


def test_a_rule_holds_ten_ranges_at_most() -> None:
    """Armor: a longer list goes over several rules, each with a priority of its own."""
    most = 0
    for call in sent(POLICIES):
        for rule in call.body["rules"]:
            ranges = rule["match"]["config"]["srcIpRanges"]
            assert 1 <= len(ranges) <= 10, call
            assert rule["match"]["versionedExpr"] == "SRC_IPS_V1", call
        priorities = [rule["priority"] for rule in call.body["rules"]]
        assert len(set(priorities)) == len(priorities), call
        most = max(most, len(priorities))
    # 1900 ranges, those of the proof, and everybody else; a policy has room for 200 rules.
    assert most == 192


def test_every_range_that_was_asked_for_is_let_in() -> None:
    """Armor: none is lost where a list is cut into rules, and none is there that nobody named."""
    for call in sent(POLICIES):
        balancer = orders()[call.order].load_balancer
        assert balancer is not None
        found = [
            one for rule in call.body["rules"] for one in rule["match"]["config"]["srcIpRanges"]
        ]
        assert sorted(found) == sorted([*balancer.allowed_ranges, "203.0.113.7/32", "*"]), call


def test_the_last_rule_refuses_everybody_else() -> None:
    """Armor: without a rule of the lowest priority Google adds one that allows all."""
    for call in sent(POLICIES):
        (last,) = [rule for rule in call.body["rules"] if rule["priority"] == LAST]
        assert last["action"].startswith("deny("), call
        assert last["match"]["config"]["srcIpRanges"] == ["*"], call
        others = [rule["action"] for rule in call.body["rules"] if rule is not last]
        assert set(others) == {"allow"}, call


def test_a_policy_is_attached_by_its_own_call() -> None:
    """Armor: securityPolicy is output only on the backend, so what is said there is not heard."""
    for call in sent(BACKENDS):
        assert "securityPolicy" not in call.body, call
    attached = sent(r"/setSecurityPolicy$")
    assert {call.order for call in attached} == made_before(POLICIES)
    for call in attached:
        assert re.fullmatch(rf"{LINK}global/securityPolicies/.+", call.body["securityPolicy"]), call


def test_a_serverless_backend_says_nothing_of_servers() -> None:
    """Backend: health check, port and timeout are refused for a serverless group."""
    refused = {"healthChecks", "port", "portName", "timeoutSec"}
    for call in sent(BACKENDS):
        assert not refused & set(keys(call.body)), call
        assert call.body["protocol"] == "HTTPS", call
        assert only(call.body["backends"]).keys() == {"group"}, call


def test_backend_and_rule_are_of_one_scheme() -> None:
    """Scheme: EXTERNAL is the default of either, and what was made for it serves no other."""
    schemes = {call.body["loadBalancingScheme"] for call in (*sent(BACKENDS), *sent(RULES))}
    assert schemes == {"EXTERNAL_MANAGED"}
    assert made_before(BACKENDS) == made_before(RULES)


def test_iap_and_the_cache_never_meet() -> None:
    """Backend: IAP is incompatible with Cloud CDN, which is therefore said to be off."""
    asks = 0
    for call in sent(BACKENDS):
        assert call.body["enableCDN"] is False, call
        asks += call.body.get("iap") == {"enabled": True}
    assert asks


def test_the_group_is_where_the_service_is() -> None:
    """Group: it finds services of its own region only, names one, and belongs to the backend."""
    kinds: dict[str, Any] = {}
    for call in sent(GROUPS):
        asked = orders()[call.order]
        region = asked.region or "europe-west1"
        assert f"/regions/{region}/" in call.url, call
        assert call.body["networkEndpointType"] == "SERVERLESS", call
        (kind,) = {"cloudRun", "appEngine", "cloudFunction"} & call.body.keys()
        assert kind == {"cloud_run": "cloudRun", "app_engine": "appEngine"}[asked.serving.platform]
        assert call.body[kind] == {"service": f"mlflow-{asked.name}"}, call
        kinds[kind] = call
    assert kinds.keys() == {"cloudRun", "appEngine"}
    for call in sent(BACKENDS):
        assert re.match(rf"{LINK}regions/", call.body["backends"][0]["group"]), call


def test_nothing_of_compute_engine_is_patched() -> None:
    """Changes: groups are immutable, and everything else wants the fingerprint of the moment."""
    never_sent(COMPUTE, "PATCH", "PUT")


def test_no_request_id_makes_a_failure_last() -> None:
    """Repeats: the same requestId is answered with the first operation, also when that failed."""
    never_sent(r"[?&]requestId=")


def test_no_label_is_sent_where_none_is_taken() -> None:
    """Marks: groups, backends, maps and proxies know no labels; all say in words whose they are."""
    for call in sent(COMPUTE, "POST"):
        if "name" in call.body:
            assert "labels" not in call.body, call
            assert call.body["description"], call


def test_the_rule_takes_one_port_on_the_premium_network() -> None:
    """Rule: an external managed balancer wants the tier, TCP and exactly one port, as a range."""
    for call in sent(RULES):
        assert call.body["IPProtocol"] == "TCP", call
        assert call.body["portRange"] == "443-443", call
        assert call.body["networkTier"] == "PREMIUM", call
        assert re.match(rf"{LINK}global/addresses/", call.body["IPAddress"]), call
        assert re.match(rf"{LINK}global/targetHttpsProxies/", call.body["target"]), call


def test_the_proxy_has_its_certificate_from_one_place() -> None:
    """Proxy: a map is referred to with // and its API's host, and excludes certificates beside it."""
    for call in sent(r"/targetHttpsProxies$"):
        assert "sslCertificates" not in call.body, call
        assert re.fullmatch(
            r"//certificatemanager\.googleapis\.com/projects/acme-mlflow/locations/global"
            r"/certificateMaps/[-a-z0-9]+",
            call.body["certificateMap"],
        ), call


def test_a_certificate_is_issued_upon_its_authorisation() -> None:
    """Certificate: without one it waits for traffic that cannot come; it is named whole."""
    authorised = {call.order: call.body for call in sent(rf"{CERTIFICATES}.*/dnsAuthorizations\?")}
    for call in sent(rf"{CERTIFICATES}.*/certificates\?"):
        managed = call.body["managed"]
        assert call.body["scope"] == "DEFAULT", call
        assert "selfManaged" not in call.body, call
        assert managed["domains"] == [authorised[call.order]["domain"]], call
        assert re.fullmatch(
            r"projects/acme-mlflow/locations/global/dnsAuthorizations/[-a-z0-9]+",
            only(managed["dnsAuthorizations"]),
        ), call
        assert authorised[call.order]["type"] == "FIXED_RECORD", call


def test_certificates_are_global_and_their_map_knows_the_domain() -> None:
    """Certificate: a global balancer finds no regional ones, and none by a host that is not its own."""
    for call in sent(CERTIFICATES, "POST", "DELETE"):
        assert "/locations/global/" in call.url, call
    for call in sent(rf"{CERTIFICATES}.*/certificateMapEntries\?"):
        balancer = orders()[call.order].load_balancer
        assert balancer is not None
        assert call.body["hostname"] == balancer.domain, call
        assert "matcher" not in call.body, call


def test_no_certificate_of_the_old_kind_is_made() -> None:
    """Certificate: those of Compute Engine cannot be issued before the traffic has moved."""
    never_sent(r"/sslCertificates")


def test_names_in_a_zone_end_with_a_dot() -> None:
    """DNS: without it a name is refused; a CNAME's data is a name, and an A's an address."""
    kinds = set()
    for call in sent(RECORDS):
        (data,) = call.body["rrdatas"]
        assert call.body["name"].endswith("."), call
        assert not call.body["name"].endswith(".."), call
        assert call.body["ttl"] > 0, call
        if call.body["type"] == "CNAME":
            assert data.endswith("."), call
        else:
            assert ipaddress.ip_address(data).version == 4, call
        kinds.add(call.body["type"])
    assert kinds == {"A", "CNAME"}


def test_no_zone_is_made_and_no_record_of_others_replaced() -> None:
    """DNS: a public zone for somebody else's domain is a trap, and so is a record that was there."""
    never_sent(r"/managedZones(\?|$)", "POST")
    never_sent(r"/managedZones/[^/]+$", "DELETE", "PATCH", "PUT")
    never_sent(RECORDS[:-1], "PATCH", "PUT")
    never_sent(r"/changes$")


def test_iap_s_names_have_the_number() -> None:
    """IAP: with the project's id instead, the policy would be that of nothing."""
    places = set()
    for call in sent(r"^https://iap\.", "GET", "POST", "PATCH"):
        match = re.match(
            rf"https://iap\.googleapis\.com/v1/projects/{NUMBER}/iap_web/"
            r"(cloud_run-[a-z]+-[a-z]+[0-9]|compute|appengine-acme-mlflow)/services/[^/:]+:",
            call.url,
        )
        assert match is not None, call
        places.add(match[1].split("-")[0])
    assert places == {"cloud_run", "compute", "appengine"}


def test_no_brand_and_no_client_is_made() -> None:
    """IAP: that API is switched off for good, though its methods still stand in the documents."""
    never_sent(r"/brands|/identityAwareProxyClients")


def test_settings_are_written_under_a_mask() -> None:
    """IAP: without one a PATCH resets what others have set; a client's secret is in no plan."""
    for call in sent(r":iapSettings", "PATCH"):
        assert "updateMask=accessSettings" in call.url, call
        assert "clientSecret" not in set(keys(call.body)), call
    for call in sent(BACKENDS):
        assert not {"oauth2ClientId", "oauth2ClientSecret"} & set(keys(call.body)), call
