"""Cloud SQL instances: what is checked, how it says no, one operation at a time (on paper machines)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from tests.localcloud.services.sqladmin.sql_instances import P, body, refused
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


def test_an_instance_is_made_by_an_operation(sql: Any, clock: VirtualClock) -> None:
    """It is PENDING_CREATE until the operation is DONE, and then RUNNABLE."""
    operation = sql.instances().insert(project=P, body=body()).execute()
    assert (operation["operationType"], operation["status"]) == ("CREATE", "PENDING")
    assert sql.instances().get(project=P, instance="pool").execute()["state"] == "PENDING_CREATE"

    clock.run_until_idle()

    done = sql.operations().get(project=P, operation=operation["name"]).execute()
    found = sql.instances().get(project=P, instance="pool").execute()
    assert (done["status"], "error" in done) == ("DONE", False)
    assert found["state"] == "RUNNABLE"
    assert found["connectionName"] == "berth-local:europe-west1:pool"
    assert found["settings"]["settingsVersion"] == "1"
    assert found["settings"]["dataApiAccess"] == "DISALLOW_DATA_API"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Pool"}, "instance name (Pool)"),
        ({"name": "a" * 90}, "exceed 98 characters"),
        ({"settings": {"edition": "ENTERPRISE_PLUS"}}, "for (ENTERPRISE_PLUS) Edition"),
        ({"settings": {"tier": "db-perf-optimized-N-2"}}, "for (ENTERPRISE) Edition"),
        ({"settings": {"tier": "db-custom-3-3840"}}, "even number"),
        ({"settings": {"tier": "db-custom-2-3900"}}, "multiple of 256"),
        ({"databaseVersion": "MYSQL_5_7"}, "Invalid database version (MYSQL_5_7)"),
        ({"region": "europe"}, "Invalid region"),
        ({"settings": {"activationPolicy": "ON_DEMAND"}}, "Invalid activation policy"),
        ({"settings": {"dataDiskSizeGb": "5"}}, "at least 10 GB"),
        ({"settings": {"userLabels": {"Bad": "x"}}}, "Invalid user label"),
        ({"settings": {"ipConfiguration": {"ipv4Enabled": False}}}, "At least one of Public IP"),
        (
            {"settings": {"ipConfiguration": {"privateNetwork": "projects/p/global/networks/d"}}},
            "SERVICE_NETWORKING_NOT_ENABLED",
        ),
        (
            {"settings": {"backupConfiguration": {"transactionLogRetentionDays": 14}}},
            "must be between 1 and 7",
        ),
        (
            {"settings": {"backupConfiguration": {"pointInTimeRecoveryEnabled": True}}},
            "requires that backups are enabled",
        ),
        ({"settings": {"databaseFlags": [{"name": "shared_x", "value": "1"}]}}, "Invalid flag"),
        (
            {"settings": {"databaseFlags": [{"name": "max_connections", "value": "5"}]}},
            "max_connections=5",
        ),
    ],
)
def test_bad_instances_are_refused(sql: Any, changes: dict[str, Any], words: str) -> None:
    """A body Cloud SQL would refuse is refused here, and nothing is made."""
    code, _, message = refused(
        lambda: sql.instances().insert(project=P, body=body(**changes)).execute()
    )

    assert code == 400
    assert words in message
    assert "items" not in sql.instances().list(project=P).execute()


def test_a_missing_edition_means_enterprise_plus(sql: Any) -> None:
    """From PostgreSQL 16 on the default edition does not take small tiers; Google says it so."""
    wanted = {**body(), "settings": {"tier": "db-g1-small"}}
    assert refused(lambda: sql.instances().insert(project=P, body=wanted).execute()) == (
        400,
        "invalid",
        (
            "Invalid request: Invalid Tier (db-g1-small) for (ENTERPRISE_PLUS) Edition. Use a "
            "predefined Tier like db-perf-optimized-N-* instead."
        ),
    )


@pytest.mark.parametrize("missing", ["name", "settings", "settings.tier"])
def test_required_fields(sql: Any, missing: str) -> None:
    """What the document only calls required is required."""
    wanted = body()
    if missing == "settings.tier":
        del wanted["settings"]["tier"]
    else:
        del wanted[missing]
    code, _, message = refused(lambda: sql.instances().insert(project=P, body=wanted).execute())
    assert code == 400
    assert missing in message


def test_what_is_not_built_says_so(sql: Any) -> None:
    """A field that would change what an instance is must not be ignored."""
    wanted = body(masterInstanceName="other")
    code, _, message = refused(lambda: sql.instances().insert(project=P, body=wanted).execute())
    assert (code, "masterInstanceName" in message) == (501, True)


def test_a_name_is_given_once(pool: Any) -> None:
    """A second instance of the name is a 409 with its own reason."""
    code, reason, message = refused(
        lambda: pool.instances().insert(project=P, body=body()).execute()
    )
    assert (code, reason) == (409, "instanceAlreadyExists")
    assert "one week" in message


def test_one_operation_at_a_time(pool: Any, clock: VirtualClock) -> None:
    """While an instance is busy everything else on it is refused; afterwards it works."""
    add = pool.databases().insert(project=P, instance="pool", body={"name": "demo"})
    add.execute()
    busy = (409, "operationInProgress")
    user = pool.users().insert(project=P, instance="pool", body={"name": "demo", "password": "x"})
    assert refused(user.execute)[:2] == busy
    assert (
        refused(lambda: pool.instances().delete(project=P, instance="pool").execute())[:2] == busy
    )

    clock.run_until_idle()

    assert user.execute()["operationType"] == "CREATE_USER"


def test_a_failed_creation_leaves_a_failed_instance(
    cloud: Cloud, sql: Any, clock: VirtualClock
) -> None:
    """The operation carries the error, the instance is FAILED and can be deleted."""
    cloud.fail_operation("sql.instances.insert", "INTERNAL", "no capacity")
    operation = sql.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()

    done = sql.operations().get(project=P, operation=operation["name"]).execute()
    assert done["error"]["errors"][0]["message"] == "no capacity"
    assert sql.instances().get(project=P, instance="pool").execute()["state"] == "FAILED"

    sql.instances().delete(project=P, instance="pool").execute()
    clock.run_until_idle()
    assert refused(lambda: sql.instances().get(project=P, instance="pool").execute())[0] == 404


def test_protection_must_be_lifted_first(pool: Any, clock: VirtualClock) -> None:
    """A protected instance is not deleted."""
    on = {"settings": {"deletionProtectionEnabled": True}}
    pool.instances().patch(project=P, instance="pool", body=on).execute()
    clock.run_until_idle()
    gone = pool.instances().delete(project=P, instance="pool")
    code, _, message = refused(gone.execute)
    assert (code, message.startswith("The instance is protected.")) == (400, True)

    off = {"settings": {"deletionProtectionEnabled": False}}
    pool.instances().patch(project=P, instance="pool", body=off).execute()
    clock.run_until_idle()
    gone.execute()
    clock.run_until_idle()

    assert "items" not in pool.instances().list(project=P).execute()


def test_patch_merges_and_null_clears(pool: Any, clock: VirtualClock) -> None:
    """Labels are merged, null removes one, and the settings' version counts up."""
    for labels in ({"a": "1", "b": "2"}, {"a": None, "c": "3"}):
        change = {"settings": {"userLabels": labels}}
        pool.instances().patch(project=P, instance="pool", body=change).execute()
        clock.run_until_idle()

    settings = pool.instances().get(project=P, instance="pool").execute()["settings"]
    assert settings["userLabels"] == {"b": "2", "c": "3"}
    assert settings["settingsVersion"] == "3"
    assert settings["tier"] == "db-custom-1-3840"


def test_update_needs_the_present_version(pool: Any) -> None:
    """PUT with no or an old settingsVersion is refused."""
    put = pool.instances().update
    assert refused(lambda: put(project=P, instance="pool", body=body()).execute())[0] == 400
    old = body(settings={"settingsVersion": "7"})
    assert refused(lambda: put(project=P, instance="pool", body=old).execute())[0] == 412
    now = body(settings={"settingsVersion": "1"})
    assert put(project=P, instance="pool", body=now).execute()["operationType"] == "UPDATE"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "us-central1"}, "region of an instance cannot be changed"),
        ({"settings": {"dataDiskSizeGb": "10"}}, "Disk size cannot be decreased"),
        ({"settings": {"tier": "db-x"}}, "Invalid Tier (db-x)"),
    ],
)
def test_bad_changes_are_refused(sql: Any, clock: VirtualClock, change: Any, words: str) -> None:
    """A patch is checked as the settings would become."""
    sql.instances().insert(project=P, body=body(settings={"dataDiskSizeGb": "20"})).execute()
    clock.run_until_idle()
    patch = sql.instances().patch(project=P, instance="pool", body=change)
    assert words in refused(patch.execute)[2]


def test_rights_are_per_instance_and_kind(cloud: Cloud, pool: Any) -> None:
    """A client may look and connect, but change nothing."""
    cloud.grant("user:eve@example.com", "roles/cloudsql.client")
    eve = client(cloud, "sqladmin", "v1", "eve@example.com")
    assert eve.instances().get(project=P, instance="pool").execute()["name"] == "pool"
    for call in (
        eve.instances().list(project=P),
        eve.instances().delete(project=P, instance="pool"),
        eve.databases().insert(project=P, instance="pool", body={"name": "x"}),
        eve.users().list(project=P, instance="pool"),
    ):
        with pytest.raises(HttpError) as error:
            call.execute()
        assert error.value.status_code == 403
    assert pool.instances().get(project=P, instance="pool").execute()["state"] == "RUNNABLE"


def test_both_versions_see_the_same(cloud: Cloud, pool: Any) -> None:
    """v1beta4, which gcloud speaks, is the same API."""
    beta = client(cloud, "sqladmin", "v1beta4")
    assert beta.instances().list(project=P).execute() == pool.instances().list(project=P).execute()
    assert beta.tiers().list(project=P).execute()["items"]
    assert {flag["name"] for flag in beta.flags().list().execute()["items"]} >= {"max_connections"}


def test_backups_outlive_what_they_should(cloud: Cloud, pool: Any, clock: VirtualClock) -> None:
    """Runs go with the instance; the final backup stays."""
    operation = pool.backupRuns().insert(project=P, instance="pool", body={}).execute()
    clock.run_until_idle()
    number = operation["backupContext"]["backupId"]
    runs = pool.backupRuns().list(project=P, instance="pool").execute()["items"]
    assert [(one["id"], one["status"]) for one in runs] == [(number, "SUCCESSFUL")]

    pool.instances().delete(project=P, instance="pool", enableFinalBackup=True).execute()
    clock.run_until_idle()

    kept = cloud.store.of("sqladmin").children(f"projects/{P}/backups/")
    assert [one["type"] for one in kept] == ["FINAL"]
    assert not cloud.store.of("sqladmin").under(f"projects/{P}/instances/")
    assert pool.Backups().ListBackups(parent=f"projects/{P}").execute()["backups"] == kept


def test_unknown_instances_and_operations(sql: Any) -> None:
    """The words are Cloud SQL's own."""
    assert refused(lambda: sql.instances().get(project=P, instance="none").execute()) == (
        404,
        "instanceDoesNotExist",
        "The Cloud SQL instance does not exist.",
    )
    assert refused(lambda: sql.operations().get(project=P, operation="x").execute())[0] == 404
