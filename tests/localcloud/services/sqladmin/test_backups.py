"""Backups of Cloud SQL, their two faces, and what they are good for (on paper machines)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.services.sqladmin.sql_instances import P, body, refused

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


class Desk:
    """Does one thing after another on the virtual clock."""

    def __init__(self, sql: Any, clock: VirtualClock) -> None:
        """Use this client."""
        self.sql = sql
        self.clock = clock

    def done(self, call: Any) -> dict[str, Any]:
        """Make a call and run its operation to the end."""
        operation = call.execute()
        self.clock.run_until_idle()
        found: dict[str, Any] = (
            self.sql.operations().get(project=P, operation=operation["name"]).execute()
        )
        return found

    def backup(self, instance: str = "pool", **sent: Any) -> str:
        """Back an instance up and return the number."""
        call = self.sql.backupRuns().insert(project=P, instance=instance, body=sent)
        return str(self.done(call)["backupContext"]["backupId"])

    def restore(self, target: str, **sent: Any) -> Any:
        """Return the request for a restore."""
        return self.sql.instances().restoreBackup(project=P, instance=target, body=sent)

    def make(self, name: str, **changes: Any) -> None:
        """Make an instance."""
        self.done(self.sql.instances().insert(project=P, body=body(name, **changes)))

    def users(self, instance: str) -> list[str]:
        """Name the users of an instance."""
        found = self.sql.users().list(project=P, instance=instance).execute()["items"]
        return sorted(one["name"] for one in found)

    def add_user(self, name: str, instance: str = "pool") -> None:
        """Add a user with a password."""
        sent = {"name": name, "password": "x"}
        self.done(self.sql.users().insert(project=P, instance=instance, body=sent))


@pytest.fixture
def desk(pool: Any, clock: VirtualClock) -> Desk:
    """Return a desk in front of an instance ``pool``."""
    return Desk(pool, clock)


def names(desk: Desk) -> list[str]:
    """Name the project's backups."""
    found = desk.sql.Backups().ListBackups(parent=f"projects/{P}").execute()
    return [one["name"].rpartition("/")[2] for one in found.get("backups", [])]


def test_a_run_is_seen_while_it_runs(desk: Desk) -> None:
    """It is RUNNING until its operation is done, then SUCCESSFUL with an end."""
    runs = desk.sql.backupRuns()
    number = runs.insert(project=P, instance="pool", body={}).execute()["backupContext"]["backupId"]
    assert runs.get(project=P, instance="pool", id=number).execute()["status"] == "RUNNING"
    desk.clock.run_until_idle()
    found = runs.get(project=P, instance="pool", id=number).execute()
    assert (found["status"], "endTime" in found) == ("SUCCESSFUL", True)


def test_a_backup_has_two_faces(desk: Desk) -> None:
    """What is made as a run is a backup of the project, and the other way round."""
    first = desk.backup(description="by run")
    sent = {"instance": "pool", "description": "by project"}
    call = desk.sql.Backups().CreateBackup(parent=f"projects/{P}", body=sent)
    second = desk.done(call)["backupContext"]["backupId"]

    runs = desk.sql.backupRuns().list(project=P, instance="pool").execute()["items"]
    assert [one["id"] for one in runs] == [second, first] == names(desk)
    name = f"projects/{P}/backups/{second}"
    assert desk.sql.Backups().GetBackup(name=name).execute()["description"] == "by project"

    desk.done(desk.sql.backupRuns().delete(project=P, instance="pool", id=second))
    assert names(desk) == [first]


def test_the_description_changes_and_nothing_else(desk: Desk) -> None:
    """UpdateBackup follows its mask; what a backup is cannot be patched."""
    name = f"projects/{P}/backups/{desk.backup(description='a')}"
    patch = desk.sql.Backups().UpdateBackup
    desk.done(patch(name=name, updateMask="description", body={"description": "b"}))
    assert desk.sql.Backups().GetBackup(name=name).execute()["description"] == "b"
    wrong = patch(name=name, updateMask="instance", body={"instance": "other"})
    assert "instance of a backup cannot be changed" in refused(wrong.execute)[2]


def test_a_backup_ends_with_its_time(desk: Desk) -> None:
    """Past its expiry it is neither listed nor restored from."""
    sent = {"instance": "pool", "ttlDays": "2"}
    desk.done(desk.sql.Backups().CreateBackup(parent=f"projects/{P}", body=sent))
    assert len(names(desk)) == 1
    desk.clock.advance(2 * 86400 + 1)
    assert names(desk) == []


def test_retained_backups_outlive_their_instance(desk: Desk) -> None:
    """They are no runs of a new instance of the name, and make an instance again."""
    number = desk.backup()
    on = {"settings": {"retainBackupsOnDelete": True}}
    desk.done(desk.sql.instances().patch(project=P, instance="pool", body=on))
    desk.done(desk.sql.instances().delete(project=P, instance="pool"))
    assert names(desk) == [number]

    desk.make("pool")
    runs = desk.sql.backupRuns()
    assert "items" not in runs.list(project=P, instance="pool").execute()
    gone = runs.get(project=P, instance="pool", id=number)
    assert refused(gone.execute)[:2] == (404, "backupRunDoesNotExist")

    name = f"projects/{P}/backups/{number}"
    assert "instanceDeletionTime" in desk.sql.Backups().GetBackup(name=name).execute()
    desk.done(desk.restore("again", backup=name))
    made = desk.sql.instances().get(project=P, instance="again").execute()
    assert (made["state"], made["settings"]["tier"]) == ("RUNNABLE", "db-custom-1-3840")


def test_a_restore_brings_back_the_users_of_then(desk: Desk) -> None:
    """Users made since are gone, those of the backup are there."""
    desk.add_user("ann")
    number = desk.backup()
    desk.add_user("bob")
    desk.done(desk.sql.users().delete(project=P, instance="pool", name="ann"))
    done = desk.done(desk.restore("pool", restoreBackupContext={"backupRunId": number}))
    assert (done["operationType"], "error" in done) == ("RESTORE_VOLUME", False)
    assert desk.users("pool") == ["ann", "postgres"]


def test_a_restore_to_another_instance_names_the_source(desk: Desk) -> None:
    """The run is looked for under the instance that is named, or else under the target."""
    desk.add_user("ann")
    number = desk.backup()
    desk.make("other")
    missing = desk.restore("other", restoreBackupContext={"backupRunId": number})
    assert refused(missing.execute)[:2] == (404, "backupRunDoesNotExist")
    context = {"backupRunId": number, "instanceId": "pool"}
    desk.done(desk.restore("other", restoreBackupContext=context))
    assert "ann" in desk.users("other")


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ({}, 400, "exactly one of"),
        ({"restoreBackupContext": {}}, 400, "backupRunId is required"),
        ({"restoreBackupContext": {"backupRunId": "1"}}, 404, "backup run does not exist"),
        ({"backup": f"projects/{P}/backups/1"}, 404, "backup run does not exist"),
        ({"backup": "x", "restoreBackupContext": {"backupRunId": "1"}}, 400, "exactly one of"),
        ({"backupdrBackup": "projects/p/x"}, 501, "backupdrBackup"),
        ({"restoreBackupContext": {"backupRunId": "1", "project": "else"}}, 501, "project"),
    ],
)
def test_bad_restores(desk: Desk, sent: dict[str, Any], code: int, words: str) -> None:
    """A restore that names nothing, too much, or what is not here is refused."""
    found = refused(desk.restore("pool", **sent).execute)
    assert (found[0], words in found[2]) == (code, True)


def test_a_restore_needs_room_and_the_same_version(desk: Desk) -> None:
    """A smaller disk or another version is refused, and the target stays as it was."""
    desk.make("large", settings={"dataDiskSizeGb": "20"})
    desk.make("old", databaseVersion="POSTGRES_17")
    for source, target, words in (
        ("large", "pool", "disk"),
        ("old", "pool", "POSTGRES_17 and cannot be restored to an instance of POSTGRES_18"),
    ):
        context = {"backupRunId": desk.backup(source), "instanceId": source}
        call = desk.restore(target, restoreBackupContext=context)
        assert words in refused(call.execute)[2]
    assert desk.users("pool") == ["postgres"]


def test_a_stopped_instance_is_neither_backed_up_nor_restored(desk: Desk) -> None:
    """Both need the server."""
    number = desk.backup()
    off = {"settings": {"activationPolicy": "NEVER"}}
    desk.done(desk.sql.instances().patch(project=P, instance="pool", body=off))
    for call in (
        desk.sql.backupRuns().insert(project=P, instance="pool", body={}),
        desk.restore("pool", restoreBackupContext={"backupRunId": number}),
    ):
        assert "instance is not running" in refused(call.execute)[2]


def test_a_failed_backup_is_no_source(cloud: Cloud, desk: Desk) -> None:
    """A run whose dump failed stays as FAILED and nothing is restored from it."""
    server = f"{P}:europe-west1:pool"
    call = desk.sql.backupRuns().insert(project=P, instance="pool", body={})
    number = call.execute()["backupContext"]["backupId"]
    cloud.machines.databases.delete(server)
    desk.clock.run_until_idle()
    found = desk.sql.backupRuns().get(project=P, instance="pool", id=number).execute()
    assert found["status"] == "FAILED"
    wrong = desk.restore("pool", restoreBackupContext={"backupRunId": number})
    assert "is FAILED" in refused(wrong.execute)[2]


def test_a_final_backup_ends_when_it_was_said(desk: Desk) -> None:
    """By a moment, by days, or by the days of the settings; with its own words."""
    moment = "2100-01-01T00:00:00Z"
    for name, sent in (
        ("pool", {"finalBackupExpiryTime": moment, "finalBackupDescription": "bye"}),
        ("other", {"finalBackupTtlDays": "1"}),
    ):
        if name != "pool":
            desk.make(name)
        call = desk.sql.instances().delete(project=P, instance=name, enableFinalBackup=True, **sent)
        desk.done(call)
    by_days, by_moment = desk.sql.Backups().ListBackups(parent=f"projects/{P}").execute()["backups"]
    assert (by_moment["expiryTime"], by_moment["description"]) == (moment, "bye")
    desk.clock.advance(86401)
    assert names(desk) == [by_moment["name"].rpartition("/")[2]]
    assert by_days["instance"] == "other"


def test_a_stopped_instance_gets_its_final_backup(desk: Desk) -> None:
    """It is asked for as for any other, by the call or by the settings."""
    final = {"finalBackupConfig": {"enabled": True, "retentionDays": 7}}
    desk.make("other", settings={**final, "activationPolicy": "NEVER"})
    desk.done(desk.sql.instances().delete(project=P, instance="other"))
    found = desk.sql.Backups().ListBackups(parent=f"projects/{P}").execute()["backups"]
    assert [(one["type"], one["instance"], one["state"]) for one in found] == [
        ("FINAL", "other", "SUCCESSFUL")
    ]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"finalBackupTtlDays": "0"}, "1 to 365 days"),
        ({"finalBackupTtlDays": "400"}, "1 to 365 days"),
        (
            {"finalBackupTtlDays": "3", "finalBackupExpiryTime": "2027-01-01T00:00:00Z"},
            "cannot both be set",
        ),
    ],
)
def test_bad_final_backups(desk: Desk, sent: dict[str, str], words: str) -> None:
    """The instance is not deleted when its final backup could not be kept as asked."""
    call = desk.sql.instances().delete(project=P, instance="pool", enableFinalBackup=True, **sent)
    assert words in refused(call.execute)[2]
    assert desk.sql.instances().get(project=P, instance="pool").execute()["state"] == "RUNNABLE"
