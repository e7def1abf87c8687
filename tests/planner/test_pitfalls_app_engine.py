"""App Engine's pitfalls, held against every body that Berth sends it."""

import re
from typing import Any

from tests.planner.every_body import PLATFORM, Sent, everything, never_sent, only, orders, sent

API = r"^https://appengine\."
VERSIONS = r"^https://appengine\..*/versions$"
TRAFFIC = r"^https://appengine\..*/services/[^/]*\?updateMask"
TIME = re.compile(r"([0-9]+)s")


def versions() -> list[Sent]:
    """Return the bodies of the servers, the placeholders left out."""
    found = [call for call in sent(VERSIONS) if call.body["env"] == "flexible"]
    assert found
    return found


def seconds(text: Any) -> int:
    """Return a duration."""
    match = TIME.fullmatch(text)
    assert match is not None, text
    return int(match[1])


def test_the_application_is_named_by_its_id() -> None:
    """Names: with the project's number instead, every call is a 403."""
    for call in sent(API, "GET", "POST", "PATCH", "DELETE"):
        assert re.match(r"https://appengine\.googleapis\.com/v1/apps(/acme-mlflow|$)", call.url)
    for call in sent(r"/v1/apps$"):
        assert call.body["id"] == PLATFORM.project_id, call


def test_two_regions_have_their_old_names() -> None:
    """Location: europe-west1 and us-central1 are written without their digit, and kept for ever."""
    found = set()
    for call in sent(r"/v1/apps$"):
        asked = orders()[call.order].region or PLATFORM.default_region
        assert call.body["locationId"] == asked.removesuffix("1"), call
        found.add(call.body["locationId"])
    assert found == {"europe-west", "us-central"}


def test_nothing_runs_as_everybody_s_account() -> None:
    """Identity: application, placeholder and server each name one; the default is not made any more."""
    for call in (*sent(r"/v1/apps$"), *sent(VERSIONS)):
        account = call.body["serviceAccount"]
        assert account.endswith(f"@{PLATFORM.project_id}.iam.gserviceaccount.com"), call
        assert not account.endswith("@appspot.gserviceaccount.com"), call


def test_default_is_deployed_before_any_other_service() -> None:
    """Services: the first one of an application has to be `default`."""
    first: dict[str, str] = {}
    for call in sent(VERSIONS):
        first.setdefault(call.order, call.url)
    assert all("/services/default/" in url for url in first.values())
    never_sent(r"/services/default", "DELETE", "PATCH")


def test_the_application_is_never_changed() -> None:
    """Application: IAP, firewall and status are all services' own, and nothing can delete it."""
    never_sent(r"^https://appengine\..*/apps/[^/]+(\?|$)", "PATCH", "DELETE")
    never_sent(r"/firewall/|/domainMappings|/authorizedCertificates")


def test_iap_is_on_from_the_application_s_beginning() -> None:
    """Application: it is off by default, and open is what all services would be until then."""
    for call in sent(r"/v1/apps$"):
        assert call.body["iap"] == {"enabled": True}, call


def test_a_version_is_never_patched() -> None:
    """Versions: Flex takes four fields by PATCH; all else is another POST of the same name."""
    never_sent(r"/versions/", "PATCH", "PUT")
    assert {call.body["id"] for call in versions()} == {"server"}


def test_a_version_scales_in_one_way() -> None:
    """Scaling: by load or by a number, never both; and no less than one machine."""
    kinds = set()
    for call in versions():
        (kind,) = {"automaticScaling", "manualScaling", "basicScaling"} & call.body.keys()
        kinds.add(kind)
        if kind == "manualScaling":
            assert call.body[kind]["instances"] >= 1, call
        else:
            scaling = call.body[kind]
            assert 1 <= scaling["minTotalInstances"] <= scaling["maxTotalInstances"], call
            assert 0 < scaling["cpuUtilization"]["targetUtilization"] <= 1, call
            assert seconds(scaling["coolDownPeriod"]) >= 60, call
    assert kinds == {"automaticScaling", "manualScaling"}


def test_a_check_gives_up_before_the_next_one() -> None:
    """Checks: a timeout is shorter than the interval; without checks of its own, only TCP is asked."""
    for call in versions():
        for kind in ("livenessCheck", "readinessCheck"):
            check = call.body[kind]
            assert 1 <= seconds(check["timeout"]) < seconds(check["checkInterval"]) <= 300, call
            assert check["path"].startswith("/"), call
        assert seconds(call.body["readinessCheck"]["appStartTimeout"]) <= 1800, call
        assert seconds(call.body["livenessCheck"]["initialDelay"]) <= 3600, call


def test_the_database_is_named_in_the_beta_settings() -> None:
    """Versions: Flex mounts no volumes; without this there is no socket at all."""
    for call in versions():
        name = call.body["betaSettings"]["cloud_sql_instances"]
        assert re.fullmatch(r"acme-mlflow:[a-z]+-[a-z]+[0-9]:[-a-z0-9]+", name), call
        assert call.body["envVariables"]["CLOUD_SQL_INSTANCE"] == name, call


def test_secrets_are_read_by_number() -> None:
    """Versions: Flex mounts none, so variables name versions; `latest` would move under them."""
    for call in versions():
        named = [
            value for name, value in call.body["envVariables"].items() if name.endswith("_SECRET")
        ]
        assert named, call
        for value in named:
            assert re.fullmatch(r"projects/[^/]+/secrets/[^/]+/versions/[1-9][0-9]*", value), call


def test_the_image_is_deployed_by_digest() -> None:
    """Versions: a tag can be moved between two machines of one version."""
    for call in versions():
        assert call.body["runtime"] == "custom", call
        assert re.search(r"@sha256:[0-9a-f]{64}$", call.body["deployment"]["container"]["image"])


def test_a_network_is_named_with_its_subnetwork_and_addresses() -> None:
    """Network: in custom mode the subnetwork must be said, and without addresses a NAT is needed."""
    named = [call.body["network"] for call in versions() if "network" in call.body]
    assert {"subnetworkName" in network for network in named} == {True, False}
    for network in named:
        assert "/" not in network["name"]
        assert network["instanceIpMode"] == "EXTERNAL"


def test_traffic_moves_at_once() -> None:
    """Traffic: Flex knows no gradual migration, shares add up to 1, and the mask names each field."""
    moves = sent(TRAFFIC, "PATCH")
    for call in moves:
        assert "migrateTraffic" not in call.url, call
        assert call.body["split"] == {"shardBy": "IP", "allocations": {"server": 1}}, call
        assert sorted(call.url.split("updateMask=")[1].split(",")) == sorted(call.body), call


def test_behind_a_load_balancer_appspot_com_is_no_way_around() -> None:
    """Ingress: the service's own host answers everybody unless it says otherwise."""
    for call in sent(TRAFFIC, "PATCH"):
        balanced = orders()[call.order].load_balancer is not None
        ending = "_INTERNAL_AND_LB" if balanced else "_ALL"
        ingress = call.body["networkSettings"]["ingressTrafficAllowed"]
        assert ingress == f"INGRESS_TRAFFIC_ALLOWED{ending}", call


def test_a_service_goes_with_its_versions() -> None:
    """Removal: a version that has traffic cannot be deleted, the service with all of them can."""
    never_sent(r"^https://appengine\..*/versions/", "DELETE")
    gone = [call for call in everything() if re.search(API, call.url) and call.method == "DELETE"]
    assert gone
    assert only({call.url.rsplit("/", 2)[1] for call in gone}) == "services"
