"""What each kind of Compute Engine's resources takes, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.services.compute.load_balancers import COMPUTE, ROOT, Desk, rule

LAST = 2147483647
ALL = rule(LAST, "allow", "*")
NEG = "/regions/europe-west1/networkEndpointGroups"
BE = {"name": "be", "loadBalancingScheme": "EXTERNAL_MANAGED"}
GROUP = {"group": f"{ROOT}{NEG}/neg"}

# -- addresses and networks ---------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"ipVersion": "IPV6"},
        {"networkTier": "STANDARD"},
        {"address": "203.0.113.7"},
        {"purpose": "VPC_PEERING"},
        {"addressType": "INTERNAL"},
        {"addressType": "INTERNAL", "purpose": "VPC_PEERING", "prefixLength": 20},
        {"addressType": "INTERNAL", "purpose": "VPC_PEERING", "network": "global/networks/default"},
    ],
)
def test_addresses_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    """Each is refused, with the field or the kind that is not there."""
    status, _ = desk.refused("/global/addresses", {"name": "ip", **body})

    assert status in {400, 501}


@pytest.mark.parametrize(
    "fields",
    [
        {"prefixLength": 7},
        {"prefixLength": 30},
        {"prefixLength": 20, "address": "10.0.0.1"},
        {"prefixLength": 20, "address": "8.8.0.0"},
        {"prefixLength": 20, "address": "10.132.0.0"},
        {"prefixLength": 20, "network": "global/networks/none"},
    ],
)
def test_ranges_that_cannot_be(desk: Desk, fields: dict[str, Any]) -> None:
    """Sizes, places that are none, public ones, and what subnetworks have already."""
    desk.get("/global/networks/default")
    body = {
        "name": "range",
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "network": "global/networks/default",
        **fields,
    }

    assert desk.refused("/global/addresses", body)[0] in {400, 404}


def test_a_range_is_found_beside_the_others(desk: Desk) -> None:
    """Without an address one is chosen, and no two overlap."""
    body = {
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 16,
        "network": f"{ROOT}/global/networks/default",
    }
    for name in ("one", "two"):
        desk.post("/global/addresses", {"name": name, **body})

    found = [desk.get(f"/global/addresses/{name}") for name in ("one", "two")]
    assert found[0]["address"] != found[1]["address"]
    assert found[0]["network"] == f"{ROOT}/global/networks/default"


def test_the_default_network_is_there_with_its_subnetworks(desk: Desk) -> None:
    """In auto mode, a subnetwork for each region, and the way out."""
    network = desk.get("/global/networks/default")

    assert network["autoCreateSubnetworks"] is True
    subnet = desk.get("/regions/europe-west1/subnetworks/default")
    assert subnet["network"] == network["selfLink"]
    assert subnet["selfLink"] in network["subnetworks"]
    assert desk.get("/global/routes/default-route-default")["destRange"] == "0.0.0.0/0"


def test_a_default_network_that_was_deleted_stays_away(desk: Desk) -> None:
    """It takes its own subnetworks along, and does not come back."""
    desk.get("/global/networks/default")

    desk.delete("/global/networks/default")

    assert desk.ask("GET", f"{COMPUTE}/global/networks/default").status == 404
    assert "items" not in desk.get("/regions/europe-west1/subnetworks")


def test_a_network_with_subnetworks_stays(desk: Desk) -> None:
    """Those that somebody made keep it; without them it goes."""
    desk.post("/global/networks", {"name": "mine", "autoCreateSubnetworks": False})
    body = {"name": "s", "network": "global/networks/mine", "ipCidrRange": "10.0.0.0/24"}
    desk.post("/regions/europe-west1/subnetworks", body)

    answer = desk.ask("DELETE", f"{COMPUTE}/global/networks/mine")

    assert answer.json()["error"]["errors"][0]["reason"] == "resourceInUseByAnotherResource"
    desk.delete("/regions/europe-west1/subnetworks/s")
    desk.delete("/global/networks/mine")


@pytest.mark.parametrize(
    "fields",
    [
        {"ipCidrRange": "10.0.0.1/24"},
        {"ipCidrRange": "10.0.0.0/30"},
        {"ipCidrRange": "10.132.0.0/24"},
        {"ipCidrRange": "nothing"},
        {"network": None},
        {"network": "global/networks/none"},
        {"secondaryIpRanges": [{"rangeName": "a", "ipCidrRange": "10.1.0.0/24"}]},
    ],
)
def test_subnetworks_that_cannot_be(desk: Desk, fields: dict[str, Any]) -> None:
    """Ranges that are none, too small, or taken."""
    body = {"name": "s", "network": "global/networks/default", "ipCidrRange": "10.0.0.0/24"}
    body |= fields

    assert desk.refused("/regions/europe-west1/subnetworks", body)[0] in {400, 404, 501}


def test_a_network_says_how_it_is_made(desk: Desk) -> None:
    """Without the mode it would be a legacy network."""
    assert desk.refused("/global/networks", {"name": "mine"})[0] == 400


def test_private_access_is_switched(desk: Desk) -> None:
    """Private Google Access has a method of its own."""
    desk.get("/global/networks/default")
    path = "/regions/europe-west1/subnetworks/default"

    desk.post(f"{path}/setPrivateIpGoogleAccess", {"privateIpGoogleAccess": True})

    assert desk.get(path)["privateIpGoogleAccess"] is True


# -- groups and backend services ----------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"networkEndpointType": "GCE_VM_IP_PORT"},
        {"networkEndpointType": "SERVERLESS"},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"tag": "t"}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "Upper"}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "a", "urlMask": "<service>"}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"urlMask": "example.com"}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "a"}, "appEngine": {}},
        {"networkEndpointType": "SERVERLESS", "appEngine": {"version": "v"}},
        {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "a"}, "defaultPort": 80},
    ],
)
def test_groups_that_cannot_be(desk: Desk, body: dict[str, Any]) -> None:
    """Exactly one target, named in exactly one way."""
    assert desk.refused(NEG, {"name": "neg", **body})[0] in {400, 501}


def test_a_group_never_changes(desk: Desk) -> None:
    """There is no patch: replace it."""
    desk.backend()

    answer = desk.ask("PATCH", f"{COMPUTE}{NEG}/neg", {"cloudRun": {"service": "other"}})

    assert answer.status in {404, 405}


@pytest.mark.parametrize(
    "fields",
    [
        {"loadBalancingScheme": "INTERNAL_MANAGED"},
        {"protocol": "SSL"},
        {"backends": [{}]},
        {"backends": [{"group": "global/addresses/neg"}]},
        {"backends": [GROUP, GROUP]},
        {"backends": [{**GROUP, "maxRatePerEndpoint": 5}]},
        {"backends": [GROUP], "healthChecks": ["global/healthChecks/h"]},
        {"backends": [GROUP], "timeoutSec": 600},
        {"enableCDN": True, "iap": {"enabled": True}},
        {"iap": {"enabled": True, "oauth2ClientId": "id"}},
        {"iap": {"enabled": True, "oauth2ClientSecret": "secret"}},
        {"customRequestHeaders": ["nothing"]},
        {"customRequestHeaders": ["X-A:{colour}"]},
        {"customResponseHeaders": ["X-A:{client_region}"]},
        {"customRequestHeaders": ["Host:example.com"]},
        {"affinityCookieTtlSec": 5},
        {"outlierDetection": {}},
    ],
)
def test_backend_services_that_cannot_be(desk: Desk, fields: dict[str, Any]) -> None:
    """What serverless groups do not have, what excludes each other, what is not there."""
    desk.post(
        NEG, {"name": "neg", "networkEndpointType": "SERVERLESS", "cloudRun": {"service": "a"}}
    )

    assert desk.refused("/global/backendServices", {**BE, **fields})[0] in {400, 501}


def test_the_policy_is_not_part_of_the_body(desk: Desk) -> None:
    """It is output only: setSecurityPolicy is the only way, and an empty one takes it away."""
    desk.policy("127.0.0.0/8")
    desk.post("/global/backendServices", {**BE, "securityPolicy": "global/securityPolicies/armor"})
    assert "securityPolicy" not in desk.get("/global/backendServices/be")

    attach = "/global/backendServices/be/setSecurityPolicy"
    desk.post(attach, {"securityPolicy": f"{ROOT}/global/securityPolicies/armor"})

    assert desk.get("/global/backendServices/be")["securityPolicy"].endswith("/armor")
    desk.post(attach, {})
    assert "securityPolicy" not in desk.get("/global/backendServices/be")


def test_a_client_secret_is_only_shown_as_its_hash(desk: Desk) -> None:
    """And it stays when a later change does not send it again."""
    iap = {"enabled": True, "oauth2ClientId": "id", "oauth2ClientSecret": "secret"}
    desk.post("/global/backendServices", {**BE, "iap": iap})
    url = f"{COMPUTE}/global/backendServices/be"

    desk.done(desk.ask("PATCH", url, {"iap": {"enabled": False}}))

    shown = desk.get("/global/backendServices/be")["iap"]
    assert shown["enabled"] is False
    assert shown["oauth2ClientSecretSha256"].startswith("2bb80d53")
    assert "oauth2ClientSecret" not in shown


# -- security policies --------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [
        [rule(1000, "allow", "10.0.0.0/8")],
        [ALL, rule(LAST, "deny(403)", "*")],
        [rule(LAST, "allow", "10.0.0.0/8")],
        [{**ALL, "preview": True}],
        [ALL, rule(1, "deny", "10.0.0.0/8")],
        [ALL, rule(1, "deny(401)", "10.0.0.0/8")],
        [ALL, rule(1, "throttle", "10.0.0.0/8")],
        [ALL, rule(1, "allow")],
        [ALL, rule(1, "allow", "10.0.0.1/8")],
        [ALL, rule(1, "allow", "nowhere")],
        [ALL, rule(-1, "allow", "10.0.0.0/8")],
        [ALL, rule(1, "allow", *[f"10.0.{one}.0/24" for one in range(11)])],
        [ALL, {"priority": 1, "action": "allow", "match": {"expr": {"expression": "true"}}}],
        [ALL, {"priority": 1, "action": "allow"}],
        [ALL, {"action": "allow", "match": ALL["match"]}],
        [ALL, rule(1, "allow", "10.0.0.0/8", rateLimitOptions={})],
    ],
)
def test_policies_that_cannot_be(desk: Desk, rules: list[dict[str, Any]]) -> None:
    """Ten ranges to a rule, one rule to a priority, a default rule for all."""
    answer = desk.refused("/global/securityPolicies", {"name": "armor", "rules": rules})

    assert answer[0] in {400, 501}, answer


def test_a_policy_without_rules_lets_everybody_in(desk: Desk) -> None:
    """The default rule is made, and allows."""
    desk.post("/global/securityPolicies", {"name": "armor"})

    rules = desk.get("/global/securityPolicies/armor")["rules"]

    assert [(one["priority"], one["action"]) for one in rules] == [(LAST, "allow")]


def test_rules_are_added_changed_and_removed(desk: Desk) -> None:
    """Each by its priority."""
    desk.policy("10.0.0.0/8")
    path = "/global/securityPolicies/armor"

    desk.post(f"{path}/addRule", rule(2000, "allow", "127.0.0.1"))
    desk.post(f"{path}/patchRule?priority=2000", {"action": "deny(404)", "preview": True})

    found = desk.get(f"{path}/getRule?priority=2000")
    assert (found["action"], found["preview"]) == ("deny(404)", True)
    desk.post(f"{path}/removeRule?priority=2000", None)
    assert [one["priority"] for one in desk.get(path)["rules"]] == [1000, LAST]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("addRule", rule(1000, "allow", "127.0.0.1")),
        ("addRule?validateOnly=true", rule(5, "allow", "127.0.0.1")),
        ("patchRule?priority=7", {"action": "allow"}),
        ("patchRule", {"action": "allow"}),
        (f"patchRule?priority={LAST}", {"match": rule(1, "allow", "10.0.0.0/8")["match"]}),
        (f"patchRule?priority={LAST}", {"priority": 5}),
        ("removeRule?priority=7", None),
        (f"removeRule?priority={LAST}", None),
    ],
)
def test_changes_of_rules_that_cannot_be(desk: Desk, verb: str, body: object) -> None:
    """A taken priority, an unknown one, and the default rule, which stays."""
    desk.policy("10.0.0.0/8")

    assert desk.refused(f"/global/securityPolicies/armor/{verb}", body)[0] in {400, 501}


def test_a_policy_is_patched_with_its_fingerprint(desk: Desk) -> None:
    """Without it, or with an old one, it is a 412; rules are not its business."""
    desk.policy("10.0.0.0/8")
    url = f"{COMPUTE}/global/securityPolicies/armor"
    old = desk.get("/global/securityPolicies/armor")["fingerprint"]
    body = {"description": "new", "fingerprint": old}

    assert desk.ask("PATCH", url, {"description": "new"}).status == 412
    desk.done(desk.ask("PATCH", url, body))

    assert desk.ask("PATCH", url, body).status == 412
    fresh = desk.get("/global/securityPolicies/armor")["fingerprint"]
    assert desk.ask("PATCH", url, {"rules": [], "fingerprint": fresh}).status == 400
