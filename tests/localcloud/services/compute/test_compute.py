"""Compute Engine: what every kind of resource has in common, and what each refuses."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.localcloud.services.compute.load_balancers import COMPUTE, ROOT, Desk, refused

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

PROJECT = "projects/berth-local"
NEG = {"networkEndpointType": "SERVERLESS", "cloudRun": {"service": "mlflow"}}


# -- operations ---------------------------------------------------------------------------


def test_an_operation_is_pending_running_and_done(
    desk: Desk, ask: Ask, clock: VirtualClock
) -> None:
    """The three states in their order; the resource is there with the last."""
    begun = ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"}).json()
    link = begun["selfLink"].removeprefix(ROOT)

    assert begun["status"] == "PENDING"
    assert begun["targetLink"] == f"{ROOT}/global/addresses/ip"
    assert ask("GET", f"{COMPUTE}{link}").json()["status"] == "RUNNING"
    assert ask("GET", f"{COMPUTE}/global/addresses/ip").status == 404
    clock.advance(60)
    done = desk.get(link)
    assert (done["status"], done["progress"]) == ("DONE", 100)
    assert desk.get("/global/addresses/ip")["status"] == "RESERVED"


def test_waiting_ends_with_the_operation(desk: Desk, ask: Ask, clock: VirtualClock) -> None:
    """The answer comes when it is done, and not two minutes later."""
    begun = ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"}).json()
    before = clock.now()

    found = ask("POST", f"{COMPUTE}{begun['selfLink'].removeprefix(ROOT)}/wait").json()

    assert found["status"] == "DONE"
    assert clock.now() - before < 30
    assert desk.get("/global/operations")["items"][0]["name"] == begun["name"]


def test_waiting_gives_up_after_two_minutes(
    desk: Desk, ask: Ask, clock: VirtualClock, cloud: Cloud
) -> None:
    """Who waits must look at the status: it need not be DONE."""
    del desk
    cloud.latency["compute.globalAddresses.insert"] = 500
    begun = ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"}).json()
    before = clock.now()

    found = ask("POST", f"{COMPUTE}{begun['selfLink'].removeprefix(ROOT)}/wait").json()

    assert found["status"] == "RUNNING"
    assert 120 <= clock.now() - before < 125


def test_a_failed_operation_says_so_in_its_body(desk: Desk, cloud: Cloud) -> None:
    """The poll is a 200; error, status and message are inside, and the name is free again."""
    cloud.fail_operation("compute.globalAddresses.insert", "INTERNAL", "out of luck")

    found = desk.post("/global/addresses", {"name": "ip"})

    assert found["httpErrorStatusCode"] == 500
    assert found["error"]["errors"][0]["message"] == "out of luck"
    assert "error" not in desk.post("/global/addresses", {"name": "ip"})


def test_operations_are_kept_apart_by_scope(desk: Desk, ask: Ask) -> None:
    """A regional operation is not found among the global ones."""
    found = desk.post("/regions/europe-west1/networkEndpointGroups", {"name": "neg", **NEG})

    assert found["region"] == f"{ROOT}/regions/europe-west1"
    assert ask("GET", f"{COMPUTE}/global/operations/{found['name']}").status == 404


def test_an_operation_can_be_forgotten(desk: Desk, ask: Ask) -> None:
    """Deleted operations are not found any more."""
    name = desk.post("/global/addresses", {"name": "ip"})["name"]

    assert ask("DELETE", f"{COMPUTE}/global/operations/{name}").status == 200
    assert refused(ask("GET", f"{COMPUTE}/global/operations/{name}"))[:2] == (404, "notFound")


def test_the_same_request_id_begins_nothing_new(desk: Desk, ask: Ask) -> None:
    """A repeat gets the operation of the first request, before and after its end."""
    url = f"{COMPUTE}/global/addresses?requestId={uuid.uuid4()}"
    first = ask("POST", url, {"name": "ip"}).json()

    again = ask("POST", url, {"name": "ip"}).json()

    assert again["name"] == first["name"]
    desk.cloud.clock.pause(60)
    assert ask("POST", url, {"name": "ip"}).json()["status"] == "DONE"


@pytest.mark.parametrize("request_id", ["no-uuid", "00000000-0000-0000-0000-000000000000"])
def test_a_request_id_is_a_uuid(desk: Desk, ask: Ask, request_id: str) -> None:
    """Anything else is refused."""
    del desk
    url = f"{COMPUTE}/global/addresses?requestId={request_id}"

    assert refused(ask("POST", url, {"name": "ip"}))[:2] == (400, "invalid")


# -- names and links ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Upper", "-a", "a-", "a_b", "1a", "a" * 64])
def test_names_follow_the_rule(desk: Desk, ask: Ask, name: str) -> None:
    """A name that the pattern does not take is refused, and quoted."""
    del desk
    status, reason, message = refused(ask("POST", f"{COMPUTE}/global/addresses", {"name": name}))

    assert (status, reason) == (400, "invalid")
    assert f"'{name}'" in message


def test_a_name_is_needed(desk: Desk, ask: Ask) -> None:
    """Compute Engine makes no names up."""
    del desk

    assert refused(ask("POST", f"{COMPUTE}/global/addresses", {})) == (
        400,
        "required",
        "Required field 'resource.name' not specified",
    )


def test_a_name_is_taken_once(desk: Desk, ask: Ask) -> None:
    """Also while the first one is still being made."""
    first = ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"})
    assert first.status == 200

    assert refused(ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"}))[:2] == (
        409,
        "alreadyExists",
    )
    desk.done(first)
    assert refused(ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip"})) == (
        409,
        "alreadyExists",
        f"The resource '{PROJECT}/global/addresses/ip' already exists",
    )


def test_what_is_not_there_is_named(desk: Desk, ask: Ask) -> None:
    """404 with the resource's path."""
    del desk

    assert refused(ask("GET", f"{COMPUTE}/global/urlMaps/none")) == (
        404,
        "notFound",
        f"The resource '{PROJECT}/global/urlMaps/none' was not found",
    )


@pytest.mark.parametrize(
    "link",
    [
        f"{ROOT}/global/backendServices/be",
        f"https://{COMPUTE}/global/backendServices/be",
        "https://www.googleapis.com/compute/v1/projects/123456789012/global/backendServices/be",
        "https://www.googleapis.com/compute/beta/projects/berth-local/global/backendServices/be",
        "projects/berth-local/global/backendServices/be",
        "//compute.googleapis.com/projects/berth-local/global/backendServices/be",
        "global/backendServices/be",
    ],
)
def test_links_are_taken_in_every_spelling(desk: Desk, link: str) -> None:
    """Full or partial, by ID or number; what is shown is the one full form."""
    desk.backend()

    desk.url_map(defaultService=link)

    shown = desk.get("/global/urlMaps/map")["defaultService"]
    assert shown == f"{ROOT}/global/backendServices/be"


@pytest.mark.parametrize(
    ("link", "status"),
    [
        ("be", 400),
        ("https://example.com/be", 400),
        ("global/addresses/be", 400),
        ("global/backendServices/none", 404),
        ("projects/other/global/backendServices/be", 404),
    ],
)
def test_a_link_must_lead_somewhere(desk: Desk, ask: Ask, link: str, status: int) -> None:
    """Malformed, of another kind, or to nothing."""
    desk.backend()
    body = {"name": "map", "defaultService": link}

    assert refused(ask("POST", f"{COMPUTE}/global/urlMaps", body))[0] == status


def test_a_link_to_what_is_being_made_is_too_early(desk: Desk, ask: Ask) -> None:
    """400 resourceNotReady: wait for the operation first."""
    begun = ask(
        "POST", f"{COMPUTE}/regions/europe-west1/networkEndpointGroups", {"name": "neg", **NEG}
    )
    link = f"{ROOT}/regions/europe-west1/networkEndpointGroups/neg"
    body = {"name": "be", "loadBalancingScheme": "EXTERNAL_MANAGED", "backends": [{"group": link}]}

    assert refused(ask("POST", f"{COMPUTE}/global/backendServices", body))[:2] == (
        400,
        "resourceNotReady",
    )
    desk.done(begun)
    assert ask("POST", f"{COMPUTE}/global/backendServices", body).status == 200


def test_two_changes_at_once_are_one_too_many(desk: Desk, ask: Ask) -> None:
    """The second is refused until the first one's operation is done."""
    desk.backend()
    url = f"{COMPUTE}/global/backendServices/be"
    first = ask("PATCH", url, {"description": "a"})

    assert refused(ask("PATCH", url, {"description": "b"}))[:2] == (400, "resourceNotReady")
    assert refused(ask("DELETE", url))[:2] == (400, "resourceNotReady")
    desk.done(first)
    assert ask("DELETE", url).status == 200


def test_an_unknown_region_is_refused(desk: Desk, ask: Ask) -> None:
    """Regions are those there are."""
    del desk
    url = f"{COMPUTE}/regions/mars-west1/networkEndpointGroups"

    assert refused(ask("POST", url, {"name": "neg", **NEG}))[:2] == (400, "invalid")
    assert ask("GET", f"{COMPUTE}/regions/mars-west1").status == 404


def test_unknown_fields_are_refused(desk: Desk, ask: Ask) -> None:
    """The document says what a body may hold."""
    del desk

    assert (
        refused(ask("POST", f"{COMPUTE}/global/addresses", {"name": "ip", "colour": "x"}))[0] == 400
    )
