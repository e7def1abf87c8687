"""What happens without being asked for: lifecycle rules, old sessions, retention after a hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER
from localcloud.services.storage.depots import close_depot
from tests.localcloud.services.storage.one_bucket import J, Shelf, U

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

_DAY = 86_400


@pytest.fixture
def shelf(ask: Ask) -> Shelf:
    """A bucket without soft delete."""
    return Shelf(ask)


@pytest.fixture
def versioned(ask: Ask) -> Shelf:
    """A bucket that keeps versions."""
    return Shelf(ask, versioning={"enabled": True})


def test_objects_go_when_they_are_old(shelf: Shelf, clock: VirtualClock) -> None:
    """On the day the rule names, and not the day before."""
    shelf.put("x")
    shelf.rule("Delete", age=2)

    clock.advance(1.9 * _DAY)
    assert shelf.names() == ["x"]
    clock.advance(1.1 * _DAY)
    assert shelf.names() == []


@pytest.mark.parametrize(
    "condition",
    [
        {"age": 1, "matchesPrefix": ["other/"]},
        {"age": 1, "matchesSuffix": [".log"]},
        {"age": 1, "matchesStorageClass": ["NEARLINE"]},
        {"age": 1, "isLive": False},
        {"age": 1, "daysSinceCustomTime": 0},
        {"age": 1, "createdBefore": "2026-01-01"},
        {"age": 1, "numNewerVersions": 1},
        {"age": 1, "noncurrentTimeBefore": "2030-01-01"},
    ],
)
def test_all_conditions_of_a_rule_must_hold(
    shelf: Shelf, clock: VirtualClock, condition: dict[str, Any]
) -> None:
    """One that does not keeps the object."""
    shelf.put("x")
    shelf.rule("Delete", **condition)

    clock.advance(3 * _DAY)

    assert shelf.names() == ["x"]


@pytest.mark.parametrize(
    "condition",
    [
        {"matchesPrefix": ["lo", "x"], "matchesSuffix": ["g"]},
        {"createdBefore": "2030-01-01"},
        {"customTimeBefore": "2026-02-01"},
        {"daysSinceCustomTime": 30},
        {"isLive": True},
        {"matchesStorageClass": ["STANDARD"]},
        {"age": 0},
    ],
)
def test_each_condition_finds_its_objects(
    shelf: Shelf, clock: VirtualClock, condition: dict[str, Any]
) -> None:
    """Alone, too."""
    shelf.put("log", customTime="2026-01-01T00:00:00Z")
    shelf.rule("Delete", **condition)

    clock.advance(_DAY)

    assert shelf.names() == []


def test_old_versions_go_by_their_number(versioned: Shelf, clock: VirtualClock) -> None:
    """The newest stay, the live one in any case."""
    for text in "1234":
        versioned.put("x", text)
    versioned.rule("Delete", numNewerVersions=2)

    clock.advance(_DAY)

    assert versioned.names("versions=true") == ["x", "x"]
    assert versioned.names() == ["x"]


def test_a_held_object_stays(shelf: Shelf, clock: VirtualClock) -> None:
    """Until its hold is released, whatever the rules say."""
    shelf.put("x", temporaryHold=True)
    shelf.rule("Delete", age=1)
    clock.advance(2 * _DAY)
    assert shelf.names() == ["x"]

    shelf.ask("PATCH", f"{J}/b/rounds/o/x", {"temporaryHold": False})

    clock.advance(_DAY)
    assert shelf.names() == []


def test_classes_only_get_colder(shelf: Shelf, clock: VirtualClock) -> None:
    """A rule does not warm what is cold, nor change the generation."""
    made = shelf.put("warm")
    shelf.put("cold", storageClass="ARCHIVE")
    shelf.rule({"type": "SetStorageClass", "storageClass": "COLDLINE"}, age=1)

    clock.advance(2 * _DAY)

    assert shelf.get("warm")["storageClass"] == "COLDLINE"
    assert shelf.get("warm")["generation"] == made["generation"]
    assert shelf.get("cold")["storageClass"] == "ARCHIVE"


@pytest.mark.parametrize(
    ("action", "condition"),
    [
        ({"type": "Burn"}, {"age": 1}),
        ({"type": "Delete"}, {}),
        ({"type": "Delete"}, {"age": -1}),
        ({"type": "Delete"}, {"createdBefore": "yesterday"}),
        ({"type": "Delete"}, {"matchesStorageClass": ["GOLD"]}),
        ({"type": "SetStorageClass"}, {"age": 1}),
        ({"type": "AbortIncompleteMultipartUpload"}, {"isLive": True}),
    ],
)
def test_impossible_rules_are_refused(
    shelf: Shelf, ask: Ask, action: dict[str, Any], condition: dict[str, Any]
) -> None:
    """An unknown action, no condition, a condition that cannot be."""
    rules = {"rule": [{"action": action, "condition": condition}]}

    assert ask("PATCH", f"{J}/b/rounds", {"lifecycle": rules}).status == 400
    assert "lifecycle" not in ask("GET", f"{J}/b/rounds").json()
    assert shelf.names() == []


def test_unfinished_uploads_in_parts_are_aborted(
    shelf: Shelf, ask: Ask, clock: VirtualClock
) -> None:
    """When they are old enough."""
    ask("POST", "storage.googleapis.com/rounds/x?uploads")
    shelf.rule("AbortIncompleteMultipartUpload", age=1)
    assert "<UploadId>" in ask("GET", "storage.googleapis.com/rounds?uploads").text

    clock.advance(2 * _DAY)
    shelf.names()

    assert "<UploadId>" not in ask("GET", "storage.googleapis.com/rounds?uploads").text


def test_parts_outlive_a_restart(shelf: Shelf, ask: Ask, cloud: Cloud) -> None:
    """What was acknowledged is there when the upload is completed later."""
    url = "storage.googleapis.com/rounds/x"
    begun = ask("POST", f"{url}?uploads").text
    upload = begun.partition("<UploadId>")[2].partition("<")[0]
    etag = ask("PUT", f"{url}?partNumber=1&uploadId={upload}", "part").headers["etag"]

    close_depot(cloud)

    body = f"<C><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></C>"
    token = cloud.tokens.access_token(OWNER)
    done = cloud.request(
        "POST",
        f"https://{url}?uploadId={upload}",
        headers={"authorization": f"Bearer {token}"},
        body=body.encode(),
    )
    assert done.status == 200, done.text
    assert shelf.names() == ["x"]


def test_a_session_lives_for_a_week(shelf: Shelf, ask: Ask, clock: VirtualClock) -> None:
    """After that it is gone, and says so."""
    begun = ask("POST", f"{U}/b/rounds/o?uploadType=resumable&name=x", {})
    where = begun.headers["location"].removeprefix("https://")

    clock.advance(8 * _DAY)

    assert ask("PUT", where, "x").status == 410
    assert ask("PUT", where, "x").status == 404
    assert shelf.names() == []


def test_a_released_hold_begins_the_retention(ask: Ask, clock: VirtualClock) -> None:
    """An event-based hold stops the clock; the time counts from its release."""
    shelf = Shelf(ask, retentionPolicy={"retentionPeriod": "100"})
    shelf.put("x", eventBasedHold=True)
    assert "retentionExpirationTime" not in shelf.get("x")
    clock.advance(200)

    ask("PATCH", f"{J}/b/rounds/o/x", {"eventBasedHold": False})

    assert ask("DELETE", f"{J}/b/rounds/o/x").status == 403
    clock.advance(101)
    assert ask("DELETE", f"{J}/b/rounds/o/x").status == 204
