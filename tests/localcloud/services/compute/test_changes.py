"""Compute Engine: deleting in order, changing what one has read, listing, and rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER
from tests.localcloud import wire
from tests.localcloud.services.compute.load_balancers import COMPUTE, ROOT, Desk, refused

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

PROJECT = "projects/berth-local"
NEG = {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "mlflow"}}


# -- deletion -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/regions/europe-west1/networkEndpointGroups/neg", "network_endpoint_group"),
        ("/global/backendServices/be", "backend_service"),
        ("/global/urlMaps/map", "url_map"),
        ("/global/targetHttpsProxies/proxy", "target_https_proxy"),
        ("/global/addresses/ip", "address"),
        ("/global/securityPolicies/armor", "security_policy"),
    ],
)
def test_what_is_in_use_stays(desk: Desk, ask: Ask, path: str, words: str) -> None:
    """Taking down in the wrong order names what is in the way."""
    desk.everything()
    desk.policy("127.0.0.0/8")
    desk.post(
        "/global/backendServices/be/setSecurityPolicy",
        {"securityPolicy": "global/securityPolicies/armor"},
    )

    status, reason, message = refused(ask("DELETE", f"{COMPUTE}{path}"))

    assert (status, reason) == (400, "resourceInUseByAnotherResource")
    assert message.startswith(f"The {words} resource '{PROJECT}{path}' is already being used by ")


def test_the_right_order_takes_all_of_it_down(desk: Desk, ask: Ask) -> None:
    """Forwarding rule, proxy, URL map, backend service, group, map, certificate, address."""
    desk.everything()

    for path in (
        "/global/forwardingRules/fr",
        "/global/targetHttpsProxies/proxy",
        "/global/urlMaps/map",
        "/global/backendServices/be",
        "/regions/europe-west1/networkEndpointGroups/neg",
        "/global/addresses/ip",
    ):
        assert "error" not in desk.delete(path)
        assert ask("GET", f"{COMPUTE}{path}").status == 404
    for path in (
        "/certificateMaps/cm/certificateMapEntries/main",
        "/certificateMaps/cm",
        "/certificates/cert",
        "/dnsAuthorizations/auth",
    ):
        assert "error" not in desk.manager("DELETE", path)


def test_an_address_says_who_uses_it(desk: Desk) -> None:
    """RESERVED becomes IN_USE, and RESERVED again."""
    desk.everything()

    used = desk.get("/global/addresses/ip")

    assert (used["status"], used["users"]) == ("IN_USE", [f"{ROOT}/global/forwardingRules/fr"])
    desk.delete("/global/forwardingRules/fr")
    assert desk.get("/global/addresses/ip")["status"] == "RESERVED"


# -- changes ------------------------------------------------------------------------------


@pytest.mark.parametrize("fingerprint", [None, "AAAAAAAAAAA="])
def test_an_update_knows_the_present_state(desk: Desk, ask: Ask, fingerprint: str | None) -> None:
    """PUT without the current fingerprint is a 412."""
    desk.backend()
    desk.url_map()
    body = {**desk.get("/global/urlMaps/map"), "fingerprint": fingerprint}

    assert refused(ask("PUT", f"{COMPUTE}/global/urlMaps/map", body))[:2] == (
        412,
        "conditionNotMet",
    )


def test_an_update_of_what_was_read_works(desk: Desk, ask: Ask) -> None:
    """Read, change, write; the fingerprint is another one afterwards."""
    desk.backend()
    desk.url_map()
    before = desk.get("/global/urlMaps/map")

    desk.done(ask("PUT", f"{COMPUTE}/global/urlMaps/map", {**before, "description": "new"}))

    after = desk.get("/global/urlMaps/map")
    assert after["description"] == "new"
    assert after["fingerprint"] != before["fingerprint"]
    assert after["id"] == before["id"]


def test_a_patch_merges_and_null_clears(desk: Desk, ask: Ask) -> None:
    """Objects field by field; what is null is gone; the policy is not touched."""
    desk.backend(description="old")
    desk.policy("127.0.0.0/8")
    attach = {"securityPolicy": "global/securityPolicies/armor"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)
    body = {"logConfig": {"sampleRate": 0.5}, "description": None, "securityPolicy": "x"}

    desk.done(ask("PATCH", f"{COMPUTE}/global/backendServices/be", body))

    after = desk.get("/global/backendServices/be")
    assert after["logConfig"] == {"enable": True, "sampleRate": 0.5}
    assert "description" not in after
    assert after["securityPolicy"] == f"{ROOT}/global/securityPolicies/armor"


def test_labels_come_by_their_own_method(desk: Desk, ask: Ask) -> None:
    """Not with the resource, and only with the fingerprint of the present ones."""
    url = f"{COMPUTE}/global/addresses"
    assert refused(ask("POST", url, {"name": "ip", "labels": {"a": "b"}}))[0] == 400
    desk.post("/global/addresses", {"name": "ip"})
    body = {"labels": {"a": "b"}, "labelFingerprint": "AAAAAAAAAAA="}

    assert refused(ask("POST", f"{url}/ip/setLabels", body))[0] == 412
    body["labelFingerprint"] = desk.get("/global/addresses/ip")["labelFingerprint"]
    desk.post("/global/addresses/ip/setLabels", body)
    assert desk.get("/global/addresses/ip")["labels"] == {"a": "b"}


# -- lists --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a-one", "b-two", "c-one"]),
        ("filter=name%3Da-one", ["a-one"]),
        ("filter=name%20eq%20.*one", ["a-one", "c-one"]),
        ("filter=name%20ne%20.*one", ["b-two"]),
        ("orderBy=creationTimestamp%20desc", ["c-one", "b-two", "a-one"]),
        ("maxResults=2", ["a-one", "b-two"]),
    ],
)
def test_lists_filter_and_order(desk: Desk, ask: Ask, query: str, names: list[str]) -> None:
    """Filters in the new and in the old spelling."""
    for name in ("a-one", "b-two", "c-one"):
        desk.post("/global/addresses", {"name": name})

    found = ask("GET", f"{COMPUTE}/global/addresses?{query}").json()

    assert [one["name"] for one in found["items"]] == names


@pytest.mark.parametrize(
    "query", ["maxResults=501", "orderBy=colour", "filter=name%20eq%20(", "pageToken=x"]
)
def test_a_list_refuses_what_it_does_not_know(desk: Desk, ask: Ask, query: str) -> None:
    """Orders, sizes and expressions outside the language."""
    del desk

    assert ask("GET", f"{COMPUTE}/global/addresses?{query}").status == 400


def test_all_scopes_are_listed_together(desk: Desk, ask: Ask) -> None:
    """Scopes without anything carry a warning, as clients expect."""
    desk.post("/global/addresses", {"name": "ip"})
    desk.post("/regions/europe-west1/addresses", {"name": "near"})

    found = ask("GET", f"{COMPUTE}/aggregated/addresses?returnPartialSuccess=true").json()["items"]

    assert [one["name"] for one in found["global"]["addresses"]] == ["ip"]
    assert [one["name"] for one in found["regions/europe-west1"]["addresses"]] == ["near"]
    assert found["regions/us-west1"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"


def test_project_regions_and_zones_are_there(desk: Desk) -> None:
    """What every client asks first."""
    assert desk.get("")["name"] == "berth-local"
    assert desk.get("/regions/europe-west1")["zones"][0] == f"{ROOT}/zones/europe-west1-b"
    assert desk.get("/zones/us-central1-a")["region"] == f"{ROOT}/regions/us-central1"


# -- rights -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "path", "body", "permission"),
    [
        (
            "roles/compute.viewer",
            "/global/addresses",
            {"name": "x"},
            "compute.globalAddresses.create",
        ),
        (
            "roles/compute.loadBalancerAdmin",
            "/global/securityPolicies",
            {"name": "x"},
            "compute.securityPolicies.create",
        ),
        (
            "roles/compute.securityAdmin",
            "/global/networks",
            {"name": "x", "autoCreateSubnetworks": False},
            "compute.networks.create",
        ),
    ],
)
def test_who_lacks_a_permission_is_told_which(
    desk: Desk, cloud: Cloud, ask: Ask, role: str, path: str, body: dict[str, Any], permission: str
) -> None:
    """In Compute Engine's words."""
    del desk
    cloud.grant("user:ana@example.com", role)

    answer = ask("POST", f"{COMPUTE}{path}", body, who="ana@example.com")

    assert refused(answer) == (
        403,
        "forbidden",
        f"Required '{permission}' permission for '{PROJECT}{path}'",
    )


def test_what_one_links_to_one_must_be_allowed_to_use(desk: Desk, cloud: Cloud, ask: Ask) -> None:
    """Creating is one right, using something for it another."""
    desk.backend()
    body = {"roleId": "mapper", "role": {"includedPermissions": ["compute.urlMaps.create"]}}
    made = ask("POST", f"iam.googleapis.com/v1/{PROJECT}/roles", body)
    assert made.status == 200, made.body
    cloud.grant("user:ana@example.com", f"{PROJECT}/roles/mapper")
    wanted = {"name": "map", "defaultService": "global/backendServices/be"}

    answer = ask("POST", f"{COMPUTE}/global/urlMaps", wanted, who="ana@example.com")

    assert "compute.backendServices.use" in refused(answer)[2]


def test_an_api_that_is_off_says_so(ask: Ask) -> None:
    """As everywhere."""
    assert ask("GET", f"{COMPUTE}/global/addresses").status == 403


def test_googles_own_client_makes_an_address(desk: Desk, cloud: Cloud) -> None:
    """The discovery client, from the insert to the wait."""
    del desk
    client = wire.client(cloud, "compute", "v1", OWNER)

    begun = client.globalAddresses().insert(project="berth-local", body={"name": "ip"}).execute()
    done = client.globalOperations().wait(project="berth-local", operation=begun["name"]).execute()

    assert done["status"] == "DONE"
    found = client.globalAddresses().get(project="berth-local", address="ip").execute()
    assert found["addressType"] == "EXTERNAL"


def test_an_internal_range_needs_a_right_of_its_own(desk: Desk, cloud: Cloud, ask: Ask) -> None:
    """Besides the right to make addresses, and to use the network."""
    held = ["compute.globalAddresses.create", "compute.networks.use"]
    url = f"iam.googleapis.com/v1/{PROJECT}/roles"
    role = {"roleId": "ranger", "role": {"includedPermissions": held}}
    assert ask("POST", url, role).status == 200
    cloud.grant("user:ana@example.com", f"{PROJECT}/roles/ranger")
    path = f"{COMPUTE}/global/addresses"
    wanted = {
        "name": "range",
        "addressType": "INTERNAL",
        "purpose": "VPC_PEERING",
        "prefixLength": 24,
        "network": "global/networks/default",
    }

    refusal = ask("POST", path, wanted, who="ana@example.com")
    assert refused(refusal)[0] == 403
    assert "'compute.globalAddresses.createInternal'" in refused(refusal)[2]
    assert ask("POST", path, {"name": "ip"}, who="ana@example.com").status == 200

    more = {"includedPermissions": [*held, "compute.globalAddresses.createInternal"]}
    assert ask("PATCH", f"{url}/ranger?updateMask=includedPermissions", more).status == 200
    desk.done(ask("POST", path, wanted, who="ana@example.com"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/global/addresses", "addressList"),
        ("/global/backendServices", "backendServiceList"),
        ("/global/forwardingRules", "forwardingRuleList"),
        ("/global/networks", "networkList"),
        ("/global/routes", "routeList"),
        ("/global/securityPolicies", "securityPolicyList"),
        ("/global/sslCertificates", "sslCertificateList"),
        ("/global/targetHttpProxies", "targetHttpProxyList"),
        ("/global/targetHttpsProxies", "targetHttpsProxyList"),
        ("/global/urlMaps", "urlMapList"),
        ("/regions/europe-west1/addresses", "addressList"),
        ("/regions/europe-west1/networkEndpointGroups", "networkEndpointGroupList"),
        ("/regions/europe-west1/subnetworks", "subnetworkList"),
    ],
)
def test_everything_can_be_listed(desk: Desk, path: str, kind: str) -> None:
    """With something in it, too."""
    desk.policy("203.0.113.0/24")
    desk.service()
    desk.everything()

    found = desk.get(path)

    assert found["kind"] == f"compute#{kind}"
    assert ("selfLink" in found) == (kind != "securityPolicyList")
    assert (path != "/global/securityPolicies") or [one["name"] for one in found["items"]]
