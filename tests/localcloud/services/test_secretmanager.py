"""What Secret Manager promises about secrets and versions."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import google_crc32c
import pytest

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

URL = "secretmanager.googleapis.com/v1/projects/berth-local/secrets"
GOOD: dict[str, Any] = {
    "replication": {"userManaged": {"replicas": [{"location": "europe-west1"}]}}
}


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable("secretmanager.googleapis.com")


@pytest.fixture
def secret(ask: Ask) -> str:
    """The URL of a secret without versions."""
    assert ask("POST", f"{URL}?secretId=demo", {**GOOD, "labels": {"team": "red"}}).status == 200
    return f"{URL}/demo"


def _add(ask: Ask, secret: str, data: bytes = b"hush", **payload: object) -> Any:
    body = {"payload": {"data": base64.b64encode(data).decode(), **payload}}
    return ask("POST", f"{secret}:addVersion", body)


def test_versions_count_up_and_latest_is_the_newest(ask: Ask, secret: str) -> None:
    """Each payload gets the next number; reading gives it back with its checksum."""
    names = [_add(ask, secret, data).json()["name"] for data in (b"one", b"two")]

    found = ask("GET", f"{secret}/versions/latest:access").json()

    assert [name.rpartition("/")[2] for name in names] == ["1", "2"]
    assert found["name"] == names[1] == "projects/123456789012/secrets/demo/versions/2"
    assert base64.b64decode(found["payload"]["data"]) == b"two"
    assert found["payload"]["dataCrc32c"] == str(google_crc32c.value(b"two"))


def test_latest_is_resolved_when_looking_too(ask: Ask, secret: str) -> None:
    """versions.get knows the word latest."""
    _add(ask, secret)

    found = ask("GET", f"{secret}/versions/latest").json()

    assert found["name"].endswith("/versions/1")
    assert "payload" not in found


@pytest.mark.usefixtures("secret")
def test_taken_name_is_409(ask: Ask) -> None:
    """A repeat meets the first one, in Google's words."""
    response = ask("POST", f"{URL}?secretId=demo", GOOD)

    assert response.status == 409
    assert response.json()["error"] == {
        "code": 409,
        "message": "Secret [projects/123456789012/secrets/demo] already exists.",
        "status": "ALREADY_EXISTS",
    }


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("secretId=", GOOD),
        ("secretId=with%20space", GOOD),
        ("secretId=" + "x" * 256, GOOD),
        ("secretId=a", {"replication": {}}),
        ("secretId=a", {"replication": {"automatic": {}, **GOOD["replication"]}}),
        ("secretId=a", {"replication": {"userManaged": {}}}),
        ("secretId=a", {**GOOD, "labels": {"Team": "red"}}),
        ("secretId=a", {**GOOD, "labels": {"team": "Red"}}),
        ("secretId=a", {**GOOD, "labels": {"team": "x" * 64}}),
    ],
)
def test_wrong_secret_is_400(ask: Ask, query: str, body: dict[str, Any]) -> None:
    """Names, labels and replication are checked before anything is made."""
    assert ask("POST", f"{URL}?{query}", body).status == 400
    assert ask("GET", URL).json() == {"totalSize": 0}


def test_wrong_checksum_is_refused(ask: Ask, secret: str) -> None:
    """A payload damaged on its way is not stored."""
    assert _add(ask, secret, b"hush", dataCrc32c="1").status == 400
    assert ask("GET", f"{secret}/versions").json() == {"totalSize": 0}


def test_right_checksum_is_remembered(ask: Ask, secret: str) -> None:
    """A client that checks is told so."""
    made = _add(ask, secret, b"hush", dataCrc32c=str(google_crc32c.value(b"hush"))).json()

    assert made["clientSpecifiedPayloadChecksum"] is True


@pytest.mark.parametrize("data", [b"", b"x" * 65537])
def test_payload_has_limits(ask: Ask, secret: str, data: bytes) -> None:
    """Empty and oversized payloads are refused."""
    assert _add(ask, secret, data).status == 400


def test_largest_payload_fits(ask: Ask, secret: str) -> None:
    """64 KiB is still allowed."""
    assert _add(ask, secret, b"x" * 65536).status == 200


def test_disabled_version_cannot_be_read(ask: Ask, secret: str) -> None:
    """Disable closes, enable opens again."""
    _add(ask, secret)

    ask("POST", f"{secret}/versions/1:disable", {})
    closed = ask("GET", f"{secret}/versions/1:access")
    ask("POST", f"{secret}/versions/1:enable", {})

    assert closed.status == 400
    assert closed.json()["error"]["status"] == "FAILED_PRECONDITION"
    assert "is in DISABLED state" in closed.json()["error"]["message"]
    assert ask("GET", f"{secret}/versions/1:access").status == 200


def test_destroyed_version_is_gone_for_good(cloud: Cloud, ask: Ask, secret: str) -> None:
    """Neither reading nor enabling brings a destroyed payload back, and the bytes are gone."""
    _add(ask, secret, b"very secret")
    assert ask("POST", f"{secret}/versions/1:destroy", {}).json()["state"] == "DESTROYED"

    assert ask("GET", f"{secret}/versions/1:access").status == 400
    assert ask("POST", f"{secret}/versions/1:enable", {}).status == 400
    assert cloud.store.of("secretmanager.payloads").under("") == []


def test_delayed_destruction_disables_first(ask: Ask, clock: VirtualClock) -> None:
    """With versionDestroyTtl there is time to change one's mind."""
    ask("POST", f"{URL}?secretId=slow", {**GOOD, "versionDestroyTtl": "86400s"})
    _add(ask, f"{URL}/slow")

    assert ask("POST", f"{URL}/slow/versions/1:destroy", {}).json()["state"] == "DISABLED"
    clock.advance(86400)

    assert ask("GET", f"{URL}/slow/versions/1").json()["state"] == "DESTROYED"


def test_enabling_calls_a_destruction_off(ask: Ask, clock: VirtualClock) -> None:
    """What was to be destroyed says when, and enabled again it stays."""
    ask("POST", f"{URL}?secretId=slow", {**GOOD, "versionDestroyTtl": "86400s"})
    _add(ask, f"{URL}/slow")
    going = ask("POST", f"{URL}/slow/versions/1:destroy", {}).json()
    assert going["scheduledDestroyTime"].startswith("2026-11-21T08:00:00")
    ask("POST", f"{URL}/slow/versions/1:enable", {})

    clock.advance(86401)

    (version,) = ask("GET", f"{URL}/slow/versions").json()["versions"]
    assert (version["state"], version.get("scheduledDestroyTime")) == ("ENABLED", None)
    assert ask("GET", f"{URL}/slow/versions/1:access").status == 200


def test_a_scheduled_destruction_is_seen_in_lists(ask: Ask, clock: VirtualClock) -> None:
    """When its time is over, whoever looks first finds it done."""
    ask("POST", f"{URL}?secretId=slow", {**GOOD, "versionDestroyTtl": "86400s"})
    _add(ask, f"{URL}/slow")
    ask("POST", f"{URL}/slow/versions/1:destroy", {})

    clock.advance(86401)

    (version,) = ask("GET", f"{URL}/slow/versions").json()["versions"]
    assert version["state"] == "DESTROYED"
    assert version["destroyTime"].startswith("2026-11-21T08:00:00")


@pytest.mark.parametrize("life", [{"ttl": "3600s"}, {"expireTime": "2026-11-20T09:00:00Z"}])
def test_a_secret_expires(ask: Ask, clock: VirtualClock, life: dict[str, str]) -> None:
    """It is gone with its versions, and its name is free."""
    made = ask("POST", f"{URL}?secretId=brief", {**GOOD, **life}).json()
    assert made["expireTime"][:19] == "2026-11-20T09:00:00"
    assert "ttl" not in made
    _add(ask, f"{URL}/brief")

    clock.advance(3600)

    assert ask("GET", URL).json().get("secrets") is None
    assert ask("GET", f"{URL}/brief/versions/latest:access").status == 404
    assert ask("POST", f"{URL}?secretId=brief", GOOD).status == 200
    assert ask("GET", f"{URL}/brief/versions").json().get("versions") is None


@pytest.mark.parametrize(
    "change",
    [
        {"ttl": "3600s", "expireTime": "2027-01-01T00:00:00Z"},
        {"ttl": "-5s"},
        {"ttl": "315576000000s"},
        {"expireTime": "2026-11-20T07:59:59Z"},
        {"rotation": {"nextRotationTime": "2027-01-01T00:00:00Z"}},
        {"rotation": {"rotationPeriod": "3600s"}, "topics": [{"name": "projects/p/topics/t"}]},
        {"versionAliases": {"latest": "1"}},
        {"versionAliases": {"NEW": "1"}},
        {"versionAliases": {"1st": "1"}},
        {"versionAliases": {f"a{n}": "1" for n in range(51)}},
    ],
)
def test_an_impossible_secret_is_refused(ask: Ask, secret: str, change: dict[str, Any]) -> None:
    """On creation and on change; nothing is kept of it."""
    before = ask("GET", secret).json()

    assert ask("POST", f"{URL}?secretId=never", {**GOOD, **change}).status == 400
    assert ask("PATCH", f"{secret}?updateMask={','.join(change)}", change).status == 400
    assert ask("GET", secret).json() == before


def test_latest_may_be_unreadable(ask: Ask, secret: str) -> None:
    """Latest is the newest version even when that one is disabled."""
    _add(ask, secret)
    _add(ask, secret)
    ask("POST", f"{secret}/versions/2:disable", {})

    assert ask("GET", f"{secret}/versions/latest:access").status == 400


def test_alias_names_a_version(ask: Ask, secret: str) -> None:
    """A version can be read under an alias."""
    _add(ask, secret, b"one")
    _add(ask, secret, b"two")
    ask("PATCH", f"{secret}?updateMask=versionAliases", {"versionAliases": {"good": "1"}})

    found = ask("GET", f"{secret}/versions/good:access").json()

    assert base64.b64decode(found["payload"]["data"]) == b"one"


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "path", ["demo/versions/1", "demo/versions/latest", "other", "other/versions/1:access"]
)
def test_absent_is_404(ask: Ask, path: str) -> None:
    """What is not there says which name was looked for."""
    response = ask("GET", f"{URL}/{path}")

    assert response.status == 404
    assert "projects/123456789012/secrets/" in response.json()["error"]["message"]


def test_patch_changes_only_what_may_change(ask: Ask, secret: str) -> None:
    """Labels may change; replication may not; a mask is needed."""
    changed = ask("PATCH", f"{secret}?updateMask=labels", {"labels": {"team": "blue"}}).json()

    assert changed["labels"] == {"team": "blue"}
    assert ask("PATCH", f"{secret}?updateMask=replication", GOOD).status == 400
    assert ask("PATCH", secret, {"labels": {}}).status == 400


def test_stale_etag_is_refused(ask: Ask, secret: str) -> None:
    """Who read before another's change cannot delete by that reading."""
    etag = ask("GET", secret).json()["etag"]
    ask("PATCH", f"{secret}?updateMask=labels", {"labels": {}})

    assert ask("DELETE", f"{secret}?etag={etag}").status == 400
    assert ask("DELETE", secret).status == 200


def test_lists_are_filtered_and_paged(ask: Ask) -> None:
    """Newest first, by label, in pages."""
    for name, team in (("a", "red"), ("b", "blue"), ("c", "red")):
        ask("POST", f"{URL}?secretId={name}", {**GOOD, "labels": {"team": team}})

    first = ask("GET", f"{URL}?filter=labels.team=red&pageSize=1").json()
    second = ask(
        "GET", f"{URL}?filter=labels.team=red&pageSize=1&pageToken={first['nextPageToken']}"
    ).json()

    names = [page["secrets"][0]["name"][-1] for page in (first, second)]
    assert names == ["c", "a"]
    assert first["totalSize"] == 2
    assert "nextPageToken" not in second


def test_deleted_secret_takes_everything_along(cloud: Cloud, ask: Ask, secret: str) -> None:
    """A new secret of the name has neither versions nor grants of the old one."""
    _add(ask, secret)
    cloud.grant(
        "user:ana@example.com",
        "roles/secretmanager.secretAccessor",
        on="//secretmanager.googleapis.com/projects/berth-local/secrets/demo",
    )
    ask("DELETE", secret)
    ask("POST", f"{URL}?secretId=demo", GOOD)

    assert ask("GET", f"{secret}/versions").json() == {"totalSize": 0}
    assert ask("GET", f"{secret}:getIamPolicy").json() == {"etag": "ACAB"}
    assert ask("GET", f"{secret}/versions/1:access", who="ana@example.com").status == 403


def test_grant_on_one_secret_opens_that_one(cloud: Cloud, ask: Ask, secret: str) -> None:
    """SecretAccessor on a secret reads its versions and nothing else."""
    _add(ask, secret)
    policy = ask("GET", f"{secret}:getIamPolicy").json()
    role = "roles/secretmanager.secretAccessor"
    policy["bindings"] = [{"role": role, "members": ["user:ana@example.com"]}]
    assert ask("POST", f"{secret}:setIamPolicy", {"policy": policy}).status == 200

    reads = [f"{secret}/versions/1:access", f"{secret}/versions/1", secret, URL]
    assert [ask("GET", url, who="ana@example.com").status for url in reads] == [200, 403, 403, 403]
    asked = {"permissions": ["secretmanager.versions.access", "secretmanager.secrets.get"]}
    held = ask("POST", f"{secret}:testIamPermissions", asked, who="ana@example.com").json()
    assert held == {"permissions": ["secretmanager.versions.access"]}
    assert cloud.calls.count("secretmanager.projects.secrets.setIamPolicy") == 1
