"""The application: made once, in one place, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.appengine.application import API, APP, HOST, application, said, settled
from tests.localcloud.run.echo import Caller

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


def test_it_is_made_in_the_old_places_by_their_old_names(owner: Caller) -> None:
    """europe-west is europe-west1, and the address says so with two letters."""
    operation = settled(owner, owner("POST", f"{API}/apps", application()))

    made = operation["response"]
    assert made["@type"] == "type.googleapis.com/google.appengine.v1.Application"
    assert (made["locationId"], made["defaultHostname"]) == ("europe-west", HOST)
    assert made["featureSettings"]["splitHealthChecks"] is True
    assert operation["metadata"]["method"] == "google.appengine.v1.Applications.CreateApplication"
    assert owner("GET", APP).json()["servingStatus"] == "SERVING"


def test_it_takes_a_minute(owner: Caller, clock: VirtualClock) -> None:
    """Until the operation is done there is no application."""
    owner("POST", f"{API}/apps", application())
    clock.advance(10)

    early = owner("GET", APP).status
    clock.advance(60)

    assert (early, owner("GET", APP).status) == (404, 200)


def test_a_second_one_is_a_conflict(app: Cloud, owner: Caller) -> None:
    """Wherever it is to be."""
    del app
    answer = owner("POST", f"{API}/apps", application(locationId="us-central"))

    assert answer.status == 409
    assert said(answer) == "This application already exists and cannot be re-created."


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"locationId": "europe-west1"}, 400),
        ({"locationId": "moon"}, 400),
        ({"locationId": ""}, 400),
        ({"id": "another"}, 403),
        ({"id": ""}, 400),
        ({"serviceAccount": "nobody@berth-local.iam.gserviceaccount.com"}, 400),
        ({"dispatchRules": [{"service": "x"}]}, 501),
        ({"iap": {"enabled": True, "oauth2ClientId": "a"}}, 400),
        ({"colour": "blue"}, 400),
    ],
)
def test_what_cannot_be_is_refused(owner: Caller, more: dict[str, Any], status: int) -> None:
    """Before anything begins, since it could never be taken back."""
    answer = owner("POST", f"{API}/apps", application(**more))

    assert answer.status == status
    assert owner("GET", APP).status == 404


def test_the_place_is_for_ever(app: Cloud, owner: Caller) -> None:
    """A patch cannot move it."""
    del app
    answer = owner("PATCH", f"{APP}?updateMask=locationId", {"locationId": "us-central"})

    assert answer.status == 400
    assert "locationId" in said(answer)


def test_the_secret_of_iap_is_shown_as_its_hash(app: Cloud, owner: Caller) -> None:
    """Nobody reads it back, and a change of something else keeps it."""
    del app
    iap = {"enabled": True, "oauth2ClientId": "c", "oauth2ClientSecret": "s3cret"}
    settled(owner, owner("PATCH", f"{APP}?updateMask=iap", {"iap": iap}))
    settled(owner, owner("PATCH", f"{APP}?updateMask=iap.enabled", {"iap": {"enabled": False}}))

    found = owner("GET", APP).json()["iap"]
    assert found["oauth2ClientId"] == "c"
    assert found["oauth2ClientSecretSha256"].startswith("1ec1c26b50d5d3c5")
    assert "oauth2ClientSecret" not in found


@pytest.mark.parametrize(
    "mask", ["", "?updateMask=name", "?updateMask=id", "?updateMask=gcrDomain"]
)
def test_a_patch_says_what_it_changes(app: Cloud, owner: Caller, mask: str) -> None:
    """Without a mask, or with a field that is Google's, nothing changes."""
    del app
    assert owner("PATCH", APP + mask, {"sslPolicy": "MODERN"}).status == 400


def test_one_change_at_a_time(app: Cloud, owner: Caller, clock: VirtualClock) -> None:
    """Whoever comes second hears so, and may try again."""
    del app
    first = owner("PATCH", f"{APP}?updateMask=sslPolicy", {"sslPolicy": "MODERN"})

    second = owner("POST", f"{APP}:repair", {})
    clock.run_until_idle()

    assert (first.status, second.status) == (200, 409)
    assert "operation is already in progress" in said(second)
    assert owner("POST", f"{APP}:repair", {}).status == 200


def test_the_number_of_the_project_is_no_name(app: Cloud, owner: Caller) -> None:
    """Applications go by the project's id."""
    del app
    assert owner("GET", f"{API}/apps/123456789012").status == 403
    assert owner("GET", f"{API}/apps/another").status == 403


def test_the_api_must_be_enabled(app: Cloud, owner: Caller) -> None:
    """As everywhere."""
    app.disable("appengine.googleapis.com")

    assert owner("GET", APP).status == 403


@pytest.mark.parametrize(
    ("role", "get", "patch", "create"),
    [
        ("roles/appengine.appViewer", 200, 403, 403),
        ("roles/appengine.appAdmin", 200, 200, 403),
        ("roles/appengine.appCreator", 403, 403, 409),
        ("roles/appengine.deployer", 200, 403, 403),
    ],
)
def test_roles(app: Cloud, role: str, get: int, patch: int, create: int) -> None:
    """Each does what its name says: an administrator cannot create."""
    app.grant("user:ana@example.com", role)
    ana = Caller(app, "ana@example.com")

    assert ana("GET", APP).status == get
    assert ana("PATCH", f"{APP}?updateMask=sslPolicy", {"sslPolicy": "MODERN"}).status == patch
    assert ana("POST", f"{API}/apps", application()).status == create


def test_places_are_listed(app: Cloud, owner: Caller) -> None:
    """With the old names, and not by the regions these are."""
    del app
    found = {one["locationId"] for one in owner("GET", f"{APP}/locations").json()["locations"]}

    assert {"europe-west", "us-central", "europe-west3"} <= found
    assert "europe-west1" not in found
    assert owner("GET", f"{APP}/locations/europe-west1").status == 404
    assert owner("GET", f"{APP}/locations/europe-west").json()["locationId"] == "europe-west"
