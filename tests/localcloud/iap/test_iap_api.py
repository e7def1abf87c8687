"""The IAP API: policies and settings, who may set them, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.iap.guarded import (
    CLIENT,
    IAP,
    MEMBER,
    RESOURCE,
    TRAINER,
    URL,
    admit,
    ask,
    put_up,
    settle,
    signed,
)
from tests.localcloud.run.echo import PARENT, Caller

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

BY_ID = RESOURCE.replace("123456789012", "berth-local")
BRANDS = f"{IAP}/projects/123456789012/brands"


def said(answer: Any) -> str:
    """Return the message of a refusal."""
    return str(answer.json()["error"]["message"])


def test_a_policy_comes_back_by_number_and_by_id(cloud: Cloud, owner: Caller) -> None:
    """Both names mean one resource, in v1 and in v1beta1."""
    del cloud
    found = [
        owner("POST", f"{IAP}/{RESOURCE}:getIamPolicy", {}).json(),
        owner("POST", f"{IAP}/{BY_ID}:getIamPolicy").json(),
        owner("POST", f"{IAP.replace('v1', 'v1beta1')}/{RESOURCE}:getIamPolicy", {}).json(),
    ]

    assert found[0] == found[1] == found[2]
    assert f"user:{MEMBER}" in found[0]["bindings"][0]["members"]


def test_a_stale_etag_is_refused(cloud: Cloud, owner: Caller) -> None:
    """Two who change a policy at once do not overwrite each other."""
    del cloud
    policy = owner("POST", f"{IAP}/{RESOURCE}:getIamPolicy", {}).json()
    admit(owner, f"user:{MEMBER}")

    answer = owner("POST", f"{IAP}/{RESOURCE}:setIamPolicy", {"policy": policy})

    assert answer.status == 409


@pytest.mark.parametrize(
    "name",
    [
        RESOURCE.replace("hello", "nothing"),
        RESOURCE.replace("west1", "west4"),
        "projects/123456789012/iap_web/appengine-berth-local",
        "projects/123456789012/iap_web/compute/services/nothing",
        "projects/123456789012/iap_web/vpn-x",
    ],
)
def test_what_is_not_there_has_no_policy(owner: Caller, name: str) -> None:
    """404 for a service, an application or a backend that nobody made."""
    assert admit(owner, f"user:{MEMBER}", resource=name).status == 404


@pytest.mark.parametrize(
    ("name", "status"),
    [("projects/1/other", 400), ("organizations/1/iap_web", 501), (f"{RESOURCE}/a/b", 400)],
)
def test_other_names_are_refused(owner: Caller, name: str, status: int) -> None:
    """What is no iap_web resource says so."""
    assert owner("POST", f"{IAP}/{name}:getIamPolicy", {}).status == status


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("POST", f"{RESOURCE}:getIamPolicy", {}),
        ("POST", f"{RESOURCE}:setIamPolicy", {"policy": {}}),
        ("GET", f"{RESOURCE}:iapSettings", None),
        ("PATCH", f"{RESOURCE}:iapSettings", {}),
    ],
)
def test_strangers_may_not_look_or_touch(cloud: Cloud, verb: str, path: str, body: Any) -> None:
    """Each method has its permission on the resource's own kind."""
    answer = Caller(cloud, "eve@example.com")(verb, f"{IAP}/{path}", body)

    assert answer.status == 403
    assert "iap.webServices." in said(answer)


def test_an_administrator_of_policies_cannot_enter_or_set(cloud: Cloud) -> None:
    """roles/iap.admin is for policies only."""
    cloud.grant("user:adam@example.com", "roles/iap.admin")
    adam = Caller(cloud, "adam@example.com")

    assert adam("POST", f"{IAP}/{RESOURCE}:getIamPolicy", {}).status == 200
    assert settle(adam, {}).status == 403
    held = adam(
        "POST",
        f"{IAP}/{RESOURCE}:testIamPermissions",
        {"permissions": ["iap.webServices.setIamPolicy", "iap.webServiceVersions.accessViaIAP"]},
    ).json()
    assert held == {"permissions": ["iap.webServices.setIamPolicy"]}


def test_a_secret_is_shown_as_its_hash(owner: Caller) -> None:
    """Nobody reads a client's secret back; the hash tells whether it changed."""
    oauth = {"clientId": CLIENT, "clientSecret": "s3cret"}

    answer = settle(owner, {"accessSettings": {"oauthSettings": oauth}})
    again = owner("GET", f"{IAP}/{RESOURCE}:iapSettings").json()

    kept = again["accessSettings"]["oauthSettings"]
    assert answer.json() == again
    assert again["name"] == RESOURCE
    assert "clientSecret" not in kept
    assert kept["clientSecretSha256"].startswith("1ec1c26b50d5d3c5")


def test_a_client_needs_its_secret(owner: Caller) -> None:
    """An id alone is refused."""
    answer = settle(owner, {"accessSettings": {"oauthSettings": {"clientId": CLIENT}}})

    assert answer.status == 400


@pytest.mark.parametrize(
    "settings",
    [
        {"accessSettings": {"reauthSettings": {"method": "LOGIN", "maxAge": "60s"}}},
        {"accessSettings": {"gcipSettings": {"tenantIds": ["a"]}}},
        {"accessSettings": {"workforceIdentitySettings": {"workforcePools": ["a"]}}},
        {"applicationSettings": {"csmSettings": {"rctokenAud": "a"}}},
        {"applicationSettings": {"accessDeniedPageSettings": {"generateTroubleshootingUri": True}}},
    ],
)
def test_what_has_no_counterpart_says_so(owner: Caller, settings: dict[str, Any]) -> None:
    """501 that names the setting, in place of one that does nothing."""
    answer = settle(owner, settings)

    assert answer.status == 501
    assert "no local counterpart" in said(answer)


def test_settings_are_inherited(cloud: Cloud, owner: Caller) -> None:
    """What the project says counts where the service is silent."""
    settle(
        owner,
        {"accessSettings": {"oauthSettings": {"programmaticClients": [CLIENT]}}},
        "projects/123456789012/iap_web",
    )

    assert ask(cloud, cloud.tokens.id_token(MEMBER, CLIENT)).status == 200


def test_allowed_domains_bind_members_too(cloud: Cloud, owner: Caller) -> None:
    """A person of another domain is refused though the policy names him."""
    domains = {"enable": True, "domains": ["example.org"]}
    clients = {"programmaticClients": [CLIENT]}
    settle(owner, {"accessSettings": {"allowedDomainsSettings": domains, "oauthSettings": clients}})

    assert ask(cloud, cloud.tokens.id_token(MEMBER, CLIENT)).status == 403
    assert ask(cloud, signed(cloud, f"{URL}/*", email=TRAINER)).status == 200


def test_preflights_pass_only_if_the_settings_say_so(cloud: Cloud, owner: Caller) -> None:
    """Browsers send OPTIONS without credentials."""
    before = cloud.request("OPTIONS", URL).status
    settle(owner, {"accessSettings": {"corsSettings": {"allowHttpOptions": True}}})
    sent = {"x-goog-authenticated-user-email": "accounts.google.com:boss@example.com"}

    after = cloud.request("OPTIONS", URL, headers=sent)

    assert (before, after.status) == (401, 200)
    assert "x-goog-authenticated-user-email" not in after.json()["headers"]


def test_a_deleted_service_takes_policy_and_settings_along(
    cloud: Cloud, owner: Caller, clock: VirtualClock
) -> None:
    """A new one of that name admits nobody by itself."""
    settle(owner, {"applicationSettings": {"cookieDomain": "example.com"}})
    owner("DELETE", f"{PARENT}/services/hello")
    clock.run_until_idle()
    put_up(owner)
    clock.run_until_idle()

    assert "bindings" not in owner("POST", f"{IAP}/{RESOURCE}:getIamPolicy", {}).json()
    assert owner("GET", f"{IAP}/{RESOURCE}:iapSettings").json() == {"name": RESOURCE}
    assert ask(cloud, signed(cloud, f"{URL}/*")).status == 403


def test_a_page_of_ones_own_for_the_refused(cloud: Cloud, owner: Caller) -> None:
    """AccessDeniedPageUri is where those go who may not enter."""
    page = {"accessDeniedPageUri": "https://help.example.com/"}
    settle(owner, {"applicationSettings": {"accessDeniedPageSettings": page}})
    admit(owner, "user:nobody@example.com")

    answer = ask(cloud, signed(cloud, f"{URL}/*"))

    assert (answer.status, answer.headers["location"]) == (302, page["accessDeniedPageUri"])


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"applicationTitle": "t", "supportEmail": "a@example.com"}),
        ("GET", "/1", None),
        ("GET", "/1/identityAwareProxyClients", None),
        ("POST", "/1/identityAwareProxyClients", {"displayName": "d"}),
        ("DELETE", "/1/identityAwareProxyClients/x", None),
        ("POST", "/1/identityAwareProxyClients/x:resetSecret", {}),
    ],
)
def test_brands_and_their_clients_are_gone(owner: Caller, verb: str, path: str, body: Any) -> None:
    """The API that made them was shut down."""
    answer = owner(verb, BRANDS + path, body)

    assert answer.status == 400
    assert "permanently shut down" in said(answer)
