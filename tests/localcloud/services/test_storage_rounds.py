"""What happens without being asked for: lifecycle rules, notifications, folders, old sessions."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

_J = "storage.googleapis.com/storage/v1"
_U = "storage.googleapis.com/upload/storage/v1"
_P = "pubsub.googleapis.com/v1/projects/berth-local"
_DAY = 86_400


class Shelf:
    """One bucket, as its owner sees it."""

    def __init__(self, ask: Ask, **settings: Any) -> None:
        """Make it."""
        self.ask = ask
        body = {
            "name": "rounds",
            "softDeletePolicy": {"retentionDurationSeconds": "0"},
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
            **settings,
        }
        answer = ask("POST", f"{_J}/b?project=berth-local", body)
        assert answer.status == 200, answer.text

    def put(self, name: str, text: str = "x", **more: Any) -> dict[str, Any]:
        """Write an object."""
        begun = self.ask("POST", f"{_U}/b/rounds/o?uploadType=resumable&name={quote(name)}", more)
        where = begun.headers["location"].removeprefix("https://")
        found: dict[str, Any] = self.ask("PUT", where, text).json()
        return found

    def names(self, query: str = "") -> list[str]:
        """List what is there."""
        found = self.ask("GET", f"{_J}/b/rounds/o?{query}").json()
        return [item["name"] for item in found.get("items", [])]

    def get(self, name: str) -> dict[str, Any]:
        """Read an object's metadata."""
        found: dict[str, Any] = self.ask("GET", f"{_J}/b/rounds/o/{quote(name, safe='')}").json()
        return found

    def rule(self, action: Any, **condition: Any) -> None:
        """Give the bucket one rule."""
        kind = {"type": action} if isinstance(action, str) else action
        rules = {"rule": [{"action": kind, "condition": condition}]}
        answer = self.ask("PATCH", f"{_J}/b/rounds", {"lifecycle": rules})
        assert answer.status == 200, answer.text


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

    shelf.ask("PATCH", f"{_J}/b/rounds/o/x", {"temporaryHold": False})

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

    assert ask("PATCH", f"{_J}/b/rounds", {"lifecycle": rules}).status == 400
    assert "lifecycle" not in ask("GET", f"{_J}/b/rounds").json()
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


def test_a_session_lives_for_a_week(shelf: Shelf, ask: Ask, clock: VirtualClock) -> None:
    """After that it is gone, and says so."""
    begun = ask("POST", f"{_U}/b/rounds/o?uploadType=resumable&name=x", {})
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

    ask("PATCH", f"{_J}/b/rounds/o/x", {"eventBasedHold": False})

    assert ask("DELETE", f"{_J}/b/rounds/o/x").status == 403
    clock.advance(101)
    assert ask("DELETE", f"{_J}/b/rounds/o/x").status == 204


# Notifications


@pytest.fixture
def told(shelf: Shelf, ask: Ask, cloud: Cloud) -> Any:
    """Has the bucket tell a topic, and gives what it told."""
    account = ask("GET", f"{_J}/projects/berth-local/serviceAccount").json()["email_address"]
    ask("PUT", f"{_P}/topics/news", {})
    ask("PUT", f"{_P}/subscriptions/mine", {"topic": "projects/berth-local/topics/news"})
    cloud.grant(f"serviceAccount:{account}", "roles/pubsub.publisher")
    assert shelf.names() == []

    def configure(**settings: Any) -> Any:
        body = {"topic": "//pubsub.googleapis.com/projects/berth-local/topics/news", **settings}
        body.setdefault("payload_format", "JSON_API_V1")
        answer = ask("POST", f"{_J}/b/rounds/notificationConfigs", body)
        assert answer.status == 200, answer.text

        def pull() -> list[dict[str, Any]]:
            answer = ask("POST", f"{_P}/subscriptions/mine:pull", {"maxMessages": 100})
            received = answer.json().get("receivedMessages", [])
            ids = [each["ackId"] for each in received]
            if ids:
                ask("POST", f"{_P}/subscriptions/mine:acknowledge", {"ackIds": ids})
            return [each["message"] for each in received]

        return pull

    return configure


def test_a_topic_hears_of_every_change(told: Any, shelf: Shelf, ask: Ask) -> None:
    """Written, overwritten, changed and deleted, each with its attributes."""
    pull = told(custom_attributes={"team": "risk"})
    first, second = shelf.put("x"), shelf.put("x", "more")
    ask("PATCH", f"{_J}/b/rounds/o/x", {"metadata": {"a": "b"}})
    ask("DELETE", f"{_J}/b/rounds/o/x")

    messages = pull()

    found = [(m["attributes"]["eventType"], m["attributes"]["objectGeneration"]) for m in messages]
    one, two = first["generation"], second["generation"]
    assert found == [
        ("OBJECT_FINALIZE", one),
        ("OBJECT_DELETE", one),
        ("OBJECT_FINALIZE", two),
        ("OBJECT_METADATA_UPDATE", two),
        ("OBJECT_DELETE", two),
    ]
    assert messages[1]["attributes"]["overwrittenByGeneration"] == two
    assert messages[2]["attributes"]["overwroteGeneration"] == one
    attributes = messages[0]["attributes"]
    assert (attributes["bucketId"], attributes["objectId"]) == ("rounds", "x")
    assert (attributes["team"], attributes["payloadFormat"]) == ("risk", "JSON_API_V1")
    assert attributes["notificationConfig"] == "projects/_/buckets/rounds/notificationConfigs/1"
    assert json.loads(base64.b64decode(messages[0]["data"]))["size"] == str(first["size"])


def test_a_topic_hears_only_what_was_asked_for(told: Any, shelf: Shelf) -> None:
    """Types, prefixes, and no payload."""
    pull = told(event_types=["OBJECT_FINALIZE"], object_name_prefix="in/", payload_format="NONE")
    for name in ("in/x", "out/x", "in/x"):
        shelf.put(name)

    messages = pull()

    assert [m["attributes"]["eventType"] for m in messages] == ["OBJECT_FINALIZE"] * 2
    assert all("data" not in message for message in messages)


def test_a_refused_write_is_not_told(told: Any, ask: Ask) -> None:
    """Nothing happened."""
    pull = told()

    answer = ask("DELETE", f"{_J}/b/rounds/o/nothing")

    assert answer.status == 404
    assert pull() == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"topic": "news"}, 400),
        ({"topic": "projects/berth-local/topics/none"}, 404),
        ({"payload_format": "XML"}, 400),
        ({"payload_format": None}, 400),
        ({"event_types": ["OBJECT_EATEN"]}, 400),
    ],
)
def test_impossible_configurations_are_refused(
    told: Any, ask: Ask, change: dict[str, Any], status: int
) -> None:
    """No topic, no format, no such event."""
    told()
    body = {"topic": "projects/berth-local/topics/news", "payload_format": "NONE", **change}

    answer = ask("POST", f"{_J}/b/rounds/notificationConfigs", body)

    assert answer.status == status
    assert len(ask("GET", f"{_J}/b/rounds/notificationConfigs").json()["items"]) == 1


def test_the_storage_account_must_be_let_in(shelf: Shelf, ask: Ask) -> None:
    """It publishes with rights of its own."""
    ask("PUT", f"{_P}/topics/closed", {})
    body = {"topic": "projects/berth-local/topics/closed", "payload_format": "NONE"}

    answer = ask("POST", f"{_J}/b/rounds/notificationConfigs", body)

    assert answer.status == 403
    assert "does not have permission to publish" in answer.text
    assert shelf.names() == []


# Folders


def test_a_folder_is_renamed_with_what_is_in_it(ask: Ask) -> None:
    """In a bucket with a hierarchical namespace, where writing an object makes its folders."""
    shelf = Shelf(ask, hierarchicalNamespace={"enabled": True})
    shelf.put("a/b/x")

    answer = ask("POST", f"{_J}/b/rounds/folders/a%2F/renameTo/folders/z%2F")

    assert answer.json()["done"] is True
    assert shelf.names() == ["z/b/x"]
    listed = ask("GET", f"{_J}/b/rounds/folders").json()["items"]
    assert [folder["name"] for folder in listed] == ["z/", "z/b/"]
    operation = answer.json()["name"].rpartition("/")[2]
    assert ask("GET", f"{_J}/b/rounds/operations/{operation}").status == 200
    assert ask("DELETE", f"{_J}/b/rounds/folders/z%2F").status == 409
    assert ask("DELETE", f"{_J}/b/rounds/folders/none%2F").status == 404


def test_folders_need_a_hierarchy(shelf: Shelf, ask: Ask) -> None:
    """And their parents, and each other's names."""
    assert ask("POST", f"{_J}/b/rounds/folders", {"name": "a/"}).status == 400
    assert shelf.names() == []
    other = {
        "name": "tree",
        "hierarchicalNamespace": {"enabled": True},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    }
    ask("POST", f"{_J}/b?project=berth-local", other)
    assert ask("POST", f"{_J}/b/tree/folders", {"name": "a/b/"}).status == 409
    assert ask("POST", f"{_J}/b/tree/folders?recursive=true", {"name": "a/b/"}).status == 200
    assert ask("POST", f"{_J}/b/tree/folders", {"name": "a/"}).status == 409
    assert ask("POST", f"{_J}/b/tree/folders", {"name": "a//b/"}).status == 400


def test_many_objects_are_restored_at_once(ask: Ask) -> None:
    """Those that match, as one operation."""
    week = {"retentionDurationSeconds": "604800"}
    shelf = Shelf(ask, softDeletePolicy=week)
    for name in ("a/1", "a/2", "b/1"):
        shelf.put(name)
        ask("DELETE", f"{_J}/b/rounds/o/{quote(name, safe='')}")
    assert shelf.names() == []

    answer = ask("POST", f"{_J}/b/rounds/o/bulkRestore", {"matchGlobs": ["a/*"]})

    assert answer.json()["done"] is True
    assert shelf.names() == ["a/1", "a/2"]
