"""Notifications through Pub/Sub, folders, and restoring many objects at once."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.localcloud.services.storage.one_bucket import J, Shelf

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

_P = "pubsub.googleapis.com/v1/projects/berth-local"


@pytest.fixture
def shelf(ask: Ask) -> Shelf:
    """A bucket without soft delete."""
    return Shelf(ask)


@pytest.fixture
def told(shelf: Shelf, ask: Ask, cloud: Cloud) -> Any:
    """Has the bucket tell a topic, and gives what it told."""
    account = ask("GET", f"{J}/projects/berth-local/serviceAccount").json()["email_address"]
    ask("PUT", f"{_P}/topics/news", {})
    ask("PUT", f"{_P}/subscriptions/mine", {"topic": "projects/berth-local/topics/news"})
    cloud.grant(f"serviceAccount:{account}", "roles/pubsub.publisher")
    assert shelf.names() == []

    def configure(**settings: Any) -> Any:
        body = {"topic": "//pubsub.googleapis.com/projects/berth-local/topics/news", **settings}
        body.setdefault("payload_format", "JSON_API_V1")
        answer = ask("POST", f"{J}/b/rounds/notificationConfigs", body)
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
    ask("PATCH", f"{J}/b/rounds/o/x", {"metadata": {"a": "b"}})
    ask("DELETE", f"{J}/b/rounds/o/x")

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

    answer = ask("DELETE", f"{J}/b/rounds/o/nothing")

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

    answer = ask("POST", f"{J}/b/rounds/notificationConfigs", body)

    assert answer.status == status
    assert len(ask("GET", f"{J}/b/rounds/notificationConfigs").json()["items"]) == 1


def test_the_storage_account_must_be_let_in(shelf: Shelf, ask: Ask) -> None:
    """It publishes with rights of its own."""
    ask("PUT", f"{_P}/topics/closed", {})
    body = {"topic": "projects/berth-local/topics/closed", "payload_format": "NONE"}

    answer = ask("POST", f"{J}/b/rounds/notificationConfigs", body)

    assert answer.status == 403
    assert "does not have permission to publish" in answer.text
    assert shelf.names() == []


# Folders


def test_a_folder_is_renamed_with_what_is_in_it(ask: Ask) -> None:
    """In a bucket with a hierarchical namespace, where writing an object makes its folders."""
    shelf = Shelf(ask, hierarchicalNamespace={"enabled": True})
    shelf.put("a/b/x")

    answer = ask("POST", f"{J}/b/rounds/folders/a%2F/renameTo/folders/z%2F")

    assert answer.json()["done"] is True
    assert shelf.names() == ["z/b/x"]
    listed = ask("GET", f"{J}/b/rounds/folders").json()["items"]
    assert [folder["name"] for folder in listed] == ["z/", "z/b/"]
    operation = answer.json()["name"].rpartition("/")[2]
    assert ask("GET", f"{J}/b/rounds/operations/{operation}").status == 200
    assert ask("DELETE", f"{J}/b/rounds/folders/z%2F").status == 409
    assert ask("DELETE", f"{J}/b/rounds/folders/none%2F").status == 404


def test_folders_need_a_hierarchy(shelf: Shelf, ask: Ask) -> None:
    """And their parents, and each other's names."""
    assert ask("POST", f"{J}/b/rounds/folders", {"name": "a/"}).status == 400
    assert shelf.names() == []
    enabled = {"hierarchicalNamespace": {"enabled": True}}
    assert ask("PATCH", f"{J}/b/rounds", enabled).status == 400
    fine = {"name": "fine", **enabled}
    assert ask("POST", f"{J}/b?project=berth-local", fine).status == 400
    other = {
        "name": "tree",
        "hierarchicalNamespace": {"enabled": True},
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
    }
    ask("POST", f"{J}/b?project=berth-local", other)
    assert ask("POST", f"{J}/b/tree/folders", {"name": "a/b/"}).status == 409
    assert ask("POST", f"{J}/b/tree/folders?recursive=true", {"name": "a/b/"}).status == 200
    assert ask("POST", f"{J}/b/tree/folders", {"name": "a/"}).status == 409
    assert ask("POST", f"{J}/b/tree/folders", {"name": "a//b/"}).status == 400


def test_many_objects_are_restored_at_once(ask: Ask) -> None:
    """Those that match, as one operation."""
    week = {"retentionDurationSeconds": "604800"}
    shelf = Shelf(ask, softDeletePolicy=week)
    for name in ("a/1", "a/2", "b/1"):
        shelf.put(name)
        ask("DELETE", f"{J}/b/rounds/o/{quote(name, safe='')}")
    assert shelf.names() == []

    answer = ask("POST", f"{J}/b/rounds/o/bulkRestore", {"matchGlobs": ["a/*"]})

    assert answer.json()["done"] is True
    assert shelf.names() == ["a/1", "a/2"]
