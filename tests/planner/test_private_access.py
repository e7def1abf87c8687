"""A private database: what the plan asks of the network, of Cloud SQL and of Cloud Run."""

from typing import Any

import pytest

from planner import admission, private_access
from schemas.deployment import DeploymentRequest
from schemas.network import Network
from schemas.plan import Resource
from schemas.platform import Platform
from tests.planner import discovery
from tests.planner.compiled import body, part, resource
from tests.planner.conftest import NUMBER

PRIVATE: dict[str, Any] = {"placement": "dedicated", "network": {"name": "default"}}


def addresses(platform: Platform, **request: Any) -> Any:
    """Return what the instance says about its addresses."""
    instance = body(part(platform, "backend_store", **request), "instance")
    return instance["settings"]["ipConfiguration"]


def test_the_way_to_the_database_comes_first(platform: Platform) -> None:
    """An instance made before its network is connected fails."""
    steps = part(platform, "network", **PRIVATE).steps
    assert [step.name for step in steps] == ["private_range", "private_connection"]
    assert all(isinstance(step, Resource) and step.keep and not step.remove for step in steps)


def test_the_range_is_big_enough_and_has_the_shared_name(platform: Platform) -> None:
    """A range that the console made is the same one."""
    made = body(part(platform, "network", **PRIVATE), "private_range")
    assert made["name"] == "google-managed-services-default"
    assert made["prefixLength"] <= 24
    assert (made["purpose"], made["addressType"]) == ("VPC_PEERING", "INTERNAL")


def test_the_longest_network_still_gives_a_name(platform: Platform) -> None:
    """Names have at most 63 characters and do not end in a hyphen."""
    name = private_access.range_name(Network(name="a" * 38 + "-" + "b" * 24))
    assert len(name) <= 63
    assert not name.endswith("-")
    assert platform is not None


def test_ranges_of_others_are_never_dropped(platform: Platform) -> None:
    """The update carries the whole list, and no force that would let it get shorter."""
    connection = resource(part(platform, "network", **PRIVATE), "private_connection")
    assert connection.share is not None
    assert connection.share.value == "google-managed-services-default"
    assert connection.update is not None
    assert "force" not in connection.update.url
    assert f"projects/{NUMBER}/" in connection.url


def test_a_private_instance_has_no_public_address(platform: Platform) -> None:
    """And no list of networks that could be let in at one."""
    found = addresses(platform, **PRIVATE)
    assert found["ipv4Enabled"] is False
    assert found["privateNetwork"] == "projects/acme-mlflow/global/networks/default"
    assert found["sslMode"] == "ENCRYPTED_ONLY"
    assert "authorizedNetworks" not in found


def test_a_public_instance_lets_no_network_in(platform: Platform) -> None:
    """Its address is for connectors, which check IAM."""
    found = addresses(platform, placement="dedicated")
    assert found == {"ipv4Enabled": True, "sslMode": "ENCRYPTED_ONLY", "authorizedNetworks": []}


def test_version_and_region_of_an_instance_are_demanded(platform: Platform) -> None:
    """Nothing can change them."""
    demands = resource(part(platform, "backend_store", **PRIVATE), "instance").demands
    assert {one.path[0] for one in demands} == {"region", "databaseVersion"}
    assert all("<found>" in one.otherwise for one in demands)


@pytest.mark.parametrize(
    ("network", "interface"),
    [
        ({"name": "default"}, {"network": "default"}),
        ({"name": "lab", "subnetwork": "eu"}, {"network": "lab", "subnetwork": "eu"}),
    ],
)
def test_server_and_migration_are_in_the_network(
    platform: Platform, network: dict[str, str], interface: dict[str, str]
) -> None:
    """Only private addresses go that way; Google's APIs and the internet as ever."""
    wanted = {"networkInterfaces": [interface], "egress": "PRIVATE_RANGES_ONLY"}
    request: dict[str, Any] = {**PRIVATE, "network": network}
    service = body(part(platform, "tracking_server", **request), "service")
    job = body(part(platform, "schema", **request), "migrate_job")
    assert service["template"]["vpcAccess"] == wanted
    assert job["template"]["template"]["vpcAccess"] == wanted


def test_without_a_network_nothing_is_in_one(platform: Platform) -> None:
    """And the part is empty, so nobody hears of it."""
    assert part(platform, "network").steps == ()
    assert "vpcAccess" not in body(part(platform, "tracking_server"), "service")["template"]


@pytest.mark.parametrize(
    ("request_", "ingress", "disabled"),
    [
        ({}, "INGRESS_TRAFFIC_ALL", None),
        (
            {"serving": {"platform": "cloud_run", "ingress": "internal"}},
            "INGRESS_TRAFFIC_INTERNAL_ONLY",
            None,
        ),
        (
            {"load_balancer": {"domain": "mlflow.risk.example.com"}},
            "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
            True,
        ),
    ],
    ids=["all", "internal", "load balancer"],
)
def test_the_doors_are_the_ones_asked_for(
    platform: Platform, request_: dict[str, Any], ingress: str, disabled: bool | None
) -> None:
    """Behind a load balancer run.app is shut, or it would be a way around the ranges."""
    service = body(part(platform, "tracking_server", **request_), "service")
    assert service["ingress"] == ingress
    assert service.get("defaultUriDisabled") is disabled


def test_google_knows_every_call(platform: Platform) -> None:
    """Methods, parameters, fields, types and enums are in Google's documents."""
    for name in ("network", "backend_store", "schema", "tracking_server"):
        for step in part(platform, name, **PRIVATE).steps:
            if not isinstance(step, Resource):
                continue
            discovery.check("GET", step.url, None)
            for call in filter(None, (step.create, step.update, *step.remove)):
                if call.auth == "OAuth2":
                    discovery.check(call.method, call.url, call.body)


def test_internal_servers_need_a_berth_that_is_inside(platform: Platform) -> None:
    """Otherwise it could not prove that they work; the words say how to install it."""
    serving = {"platform": "cloud_run", "ingress": "internal"}
    request = DeploymentRequest.model_validate({"name": "demo", "team": "risk", "serving": serving})
    inside = platform.model_copy(update={"network": Network(name="default")})

    [refused] = admission.errors(request, platform)

    assert refused.pointer == "/serving/ingress"
    assert "--network" in refused.message
    assert admission.errors(request, inside) == ()
